package integration

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/integration/faultproxy"
)

// seeds is how many histories each step dies in, on each database. IT_CRASH_SEEDS sets another number for a long run.
const seeds = 3

// reached is how long a daemon may take to come to its step: a lease beats every 2 s, a decky leaves after a settle of 2 s.
const reached = 20 * time.Second

// steps reads the product's own list, so that a new step cannot be forgotten here.
func steps(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../adapters/crashpoint/steps.go")
	must(t, err)
	var all []string
	for _, m := range regexp.MustCompile(`Step = "([a-z-]+)"`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	if len(all) < 13 {
		t.Fatalf("only %d steps: %v", len(all), all)
	}
	return all
}

// TestDeathAtEveryDurableStepLosesNothing: the process kills itself at step k while things change; its successor brings
// everything to rest, and the judge finds one story in bus, table, outbox and containers.
func TestDeathAtEveryDurableStepLosesNothing(t *testing.T) {
	need(t, "IT_DIR")
	binary, err := crashing()
	must(t, err)
	n := seeds
	if text := os.Getenv("IT_CRASH_SEEDS"); text != "" {
		n, err = strconv.Atoi(text)
		must(t, err)
	}
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		for seed := range n {
			t.Run(fmt.Sprintf("seed %d", seed+1), func(t *testing.T) {
				t.Parallel()
				dieEverywhere(t, d, uint64(seed+1), binary)
			})
		}
	})
}

func dieEverywhere(t *testing.T, d *dbms, seed uint64, binary string) {
	t.Helper()
	orders := shortDir(t, "") + "/die"
	t.Cleanup(func() { _ = os.RemoveAll(strings.TrimSuffix(orders, "/die")) })
	v := newVictim(t, d, seed, "/usr/bin/env", "FLEETD_CRASH_FILE="+orders, binary)
	v.way = onSocket(t, v, "bus.sock", wholeFrames).proxy
	v.again()
	v.judged(soon, "before any death")
	all := steps(t)
	v.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, step := range all {
		v.dieAt(orders, step)
		v.again()
		counts := v.judged(soon, "after death at "+step)
		eventually(t, soon, func() error { return unless(v.waiting() == 0, "%d transitions wait for ever", v.waiting()) })
		if counts.Committed == 0 || counts.Lost > 0 {
			t.Errorf("after death at %s: %+v", step, counts)
		}
	}
}

// dieAt makes the daemon kill itself at a step, at its first or second time, and makes things happen until it has.
func (v *victim) dieAt(orders, step string) {
	v.t.Helper()
	order := step
	if step == "lease-taken" {
		v.kill9() // it is taken once in a life
	} else {
		order += strings.Repeat(".", v.rand.IntN(2))
	}
	piled, goOn := slices.Contains([]string{"echoed", "deleting", "deleted"}, step), func() {}
	if piled {
		order = step // at the first acknowledgement of many; nothing newer may be acknowledged with it
		goOn = v.pileUp()
	}
	must(v.t, os.WriteFile(orders, []byte(order), 0o600))
	goOn()
	if !v.daemon.alive() {
		v.again()
	}
	tick, limit := time.NewTicker(100*time.Millisecond), time.NewTimer(reached)
	defer tick.Stop()
	defer limit.Stop()
	for v.daemon.alive() {
		if !piled {
			v.disturb()
		}
		if step == "file-read" {
			v.toggle()
		}
		select {
		case <-v.daemon.done:
		case <-tick.C:
		case <-limit.C:
			v.t.Fatalf("the daemon never came to step %q\n%s", order, v.daemon.tail())
		}
	}
	if code := v.daemon.cmd.ProcessState.ExitCode(); code != -1 {
		v.t.Fatalf("at step %q the daemon ended with %d, not by a kill\n%s", order, code, v.daemon.tail())
	}
	must(v.t, os.Remove(orders))
	v.way.Set(faultproxy.Faults{})
}
