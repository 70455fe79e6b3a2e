package docker

import (
	"fmt"
	"github.com/decnet/decnet-fleetd/messages"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestZZReal(t *testing.T) {
	host := "unix:///tmp/dk/docker.sock"
	run := func(a ...string) string {
		out, err := exec.Command("docker", append([]string{"-H", host}, a...)...).CombinedOutput()
		if err != nil {
			t.Log(a, string(out))
		}
		return string(out)
	}
	r, a := watch(t, Config{Host: host, Gather: time.Duration(gatherUS) * time.Microsecond})
	eventually(t, "list", func() bool { return len(a.heard()) > 0 })
	t.Logf("%+v", a.heard()[0])
	names := []string{}
	for i := range 8 {
		n := fmt.Sprintf("z%d", i)
		names = append(names, n)
		run("run", "-d", "--network", "none", "--name", n, "img:1", "/init")
	}
	defer run(append([]string{"rm", "-f"}, names...)...)
	for _, n := range names {
		eventually(t, n, func() bool { return a.state(n) == "running" })
	}
	for _, round := range []struct{ cmd, state, cause string }{{"kill", "exited", "die"}, {"start", "running", "start"}, {"pause", "paused", "pause"}, {"unpause", "running", "unpause"}, {"restart", "running", "start"}} {
		before := r.Stats()
		var lat []time.Duration
		n0 := len(a.heard())
		for k := 0; k < 5; k++ {
			for _, n := range names {
				if round.cmd == "kill" && k > 0 {
					run("start", n)
					eventually(t, n+" s", func() bool { return a.state(n) == "running" })
				}
				if round.cmd == "start" && k > 0 {
					run("kill", n)
					eventually(t, n+" s", func() bool { return a.state(n) == "exited" })
				}
				if round.cmd == "pause" && k > 0 {
					run("unpause", n)
					eventually(t, n+" s", func() bool { return a.state(n) == "running" })
				}
				if round.cmd == "unpause" && k > 0 {
					run("pause", n)
					eventually(t, n+" s", func() bool { return a.state(n) == "paused" })
				}
				run(round.cmd, n)
				eventually(t, n+round.cmd, func() bool { return a.state(n) == round.state })
			}
		}
		for _, m := range after[messages.RuntimeRead](a, n0) {
			lat = append(lat, m.ReadAt.Add(m.Took).Sub(m.EventAt))
		}
		slices.Sort(lat)
		s := r.Stats()
		t.Logf("%s: looks %d rechecks %d p50 %v max %v", round.cmd, s.Looks-before.Looks, s.Rechecks-before.Rechecks, lat[len(lat)/2], lat[len(lat)-1])
	}
	var wg sync.WaitGroup
	before, n0 := r.Stats(), len(a.heard())
	for _, n := range names {
		wg.Go(func() { run("rm", "-f", n) })
	}
	wg.Wait()
	for _, n := range names {
		eventually(t, n, func() bool { return a.state(n) == "" })
	}
	t.Logf("rm: %d looks %d hints, %+v", r.Stats().Looks-before.Looks, len(after[messages.RuntimeHinted](a, n0)), r.Stats())
}

var gatherUS = 3000
