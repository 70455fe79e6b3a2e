package docker
import ("testing";"time";"os/exec";"context";"slices";"github.com/decnet/decnet-fleetd/messages")
// how long after an event does the list contradict it
func TestZZStale(t *testing.T) {
	host := "unix:///tmp/dk/docker.sock"
	run := func(a ...string) { out, err := exec.Command("docker", append([]string{"-H", host}, a...)...).CombinedOutput(); if err != nil { t.Log(a, string(out)) } }
	e, _ := dial(host, "")
	ctx := context.Background()
	if err := e.Negotiate(ctx); err != nil { t.Fatal(err) }
	st, err := e.Events(ctx, time.Time{}); if err != nil { t.Fatal(err) }
	type res struct { n, stale int; until []time.Duration }
	all := map[string]*res{}
	done := make(chan int)
	go func() {
		defer close(done)
		var r reader; r.scan.reset(st, maxEvent)
		l := newLister()
		for {
			ev, err := r.next(); if err != nil { return }
			x := all[ev.action]; if x == nil { x = &res{}; all[ev.action] = x }
			x.n++
			for i := 0; ; i++ {
				b, err := e.List(ctx, []string{ev.id}); if err != nil { t.Error(err); return }
				list, _ := l.decode(b, []messages.Container(nil)); b.Close()
				state := ""; if len(list) > 0 { state = list[0].State }
				if !contradicts(mark{last: ev.action}, len(list) > 0, state) { if i > 0 { x.stale++; x.until = append(x.until, time.Since(time.Unix(0, ev.at))) }; break }
				if time.Since(time.Unix(0, ev.at)) > 400*time.Millisecond { x.until = append(x.until, 9*time.Second); break }
				time.Sleep(500*time.Microsecond)
			}
		}
	}()
	run("run", "-d", "--network", "none", "--name", "zz", "img:1", "/init")
	for range 60 { for _, c := range []string{"kill", "start"} { run(c, "zz"); time.Sleep(150*time.Millisecond) } }
	run("rm", "-f", "zz")
	time.Sleep(500*time.Millisecond)
	st.Close(); <-done
	for a, x := range all { slices.Sort(x.until); if len(x.until)>0 { t.Log(a, x.n, "stale", x.stale, x.until[len(x.until)/2], x.until[len(x.until)*9/10], x.until[len(x.until)-3:]) } }
}
