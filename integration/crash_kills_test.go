package integration

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/integration/faultproxy"
)

// kills is how many deaths in a row the short form has. IT_KILLS sets another number: `make soak KILLS=300`.
const kills = 20

// moods are what the bus is like in one life: mostly well, or taking nothing, or slow.
var moods = []faultproxy.Faults{{}, {}, {ToServer: faultproxy.Fault{Hang: true}}, {ToClient: faultproxy.Fault{Delay: 100 * time.Millisecond}}}

// TestKilledInARowAtRandomMomentsLosesNothing: no rest between two deaths, so that a successor dies in the middle of what
// its predecessor left undone.
func TestKilledInARowAtRandomMomentsLosesNothing(t *testing.T) {
	n, seed := kills, uint64(1)
	if text := os.Getenv("IT_KILLS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		must(t, err)
		seed = uint64(time.Now().UnixNano())
	}
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		began := time.Now()
		v := newVictim(t, d, seed)
		v.way = onSocket(t, v, "bus.sock", wholeFrames).proxy
		longest := 1500*time.Millisecond + v.start() // on a busy machine a start alone takes longer than the first part
		for range n {
			v.way.Set(moods[v.rand.IntN(len(moods))])
			v.again()
			v.liveFor(50*time.Millisecond + time.Duration(v.rand.Int64N(int64(longest))))
			v.kill9()
		}
		v.way.Set(faultproxy.Faults{})
		v.again()
		counts := v.judged(2*soon, "after the last death")
		eventually(t, soon, func() error { return unless(v.waiting() == 0, "%d transitions wait for ever", v.waiting()) })
		if counts.Committed < int64(n) {
			t.Errorf("hardly anything happened: %+v", counts)
		}
		summary{Date: began.UTC().Truncate(time.Second), Database: d.name, Seed: seed, Kills: n,
			Seconds: time.Since(began).Seconds(), Counts: counts}.keep(t)
	})
}

// start lets one daemon come as far as having told everything, kills it, and says how long that took.
func (v *victim) start() time.Duration {
	v.t.Helper()
	began := time.Now()
	v.again()
	v.judged(2*soon, "after the first start")
	v.kill9()
	return time.Since(began)
}

// liveFor makes things happen for a while.
func (v *victim) liveFor(during time.Duration) {
	v.t.Helper()
	tick, end := time.NewTicker(60*time.Millisecond), time.NewTimer(during)
	defer tick.Stop()
	defer end.Stop()
	for {
		v.disturb()
		select {
		case <-end.C:
			return
		case <-v.daemon.done:
			v.t.Fatalf("the daemon ended by itself\n%s", v.daemon.tail())
		case <-tick.C:
		}
	}
}
