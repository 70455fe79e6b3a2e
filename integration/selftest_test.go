package integration

import (
	"errors"
	"net"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// What the other tests stand on, tested without the product.

func TestAKilledEngineLeavesItsContainersAndComesBack(t *testing.T) {
	for claim, c := range map[string]struct {
		live bool
		want string
	}{
		"with live-restore they keep running":       {true, "running"},
		"without it the new engine ends them first": {false, "failed"},
	} {
		t.Run(claim, func(t *testing.T) {
			d := startDockerd(t, c.live)
			d.fleet(t, "self", 1, "ssh")
			pid := d.pid(t, "self-01-ssh")
			d.kill9(t)
			if dead(pid) {
				t.Fatal("the container went with its engine")
			}
			if d.answers() == nil {
				t.Fatal("a killed engine answers")
			}
			d.start(t)
			if got := d.aggregate(t, "self-01", "ssh"); got != c.want {
				t.Errorf("the decky is %s, not %s", got, c.want)
			}
		})
	}
}

func TestAStoppedEngineRestartsWhatItsPolicySays(t *testing.T) {
	d := startDockerd(t, false)
	d.fleet(t, "self", 1, "ssh")
	d.stop(t)
	d.start(t)
	eventually(t, soon, func() error {
		got := d.aggregate(t, "self-01", "ssh")
		return unless(got == "running", "the decky is %s", got)
	})
}

func TestTheOperationsDoWhatTheirNamesSay(t *testing.T) {
	e := sharedEngine(t)
	e.fleet(t, "ops", 1, "ssh", "http")
	want := func(state string) {
		t.Helper()
		if got := e.aggregate(t, "ops-01", "ssh", "http"); got != state {
			t.Fatalf("the decky is %s, not %s", got, state)
		}
	}
	want("running")
	e.pause(t, "ops-01-ssh")
	want("degraded")
	e.unpause(t, "ops-01-ssh")
	want("running")
	e.kill(t, "ops-01-ssh")
	e.stop(t, "ops-01-http")
	want("failed")
	e.start(t, "ops-01-ssh")
	e.rename(t, "ops-01-ssh", "ops-other")
	want("degraded")
	e.remove(t, "ops-01-http")
	e.remove(t, "ops-other")
	want("torn_down")
}

func TestACrashedContainerIsRestartedByThePolicyAlone(t *testing.T) {
	e := sharedEngine(t)
	e.fleet(t, "crash", 1, "ssh")
	before := e.pid(t, "crash-01-ssh")
	e.crash(t, "crash-01-ssh")
	once := serviceOf("crash-02", "ssh")
	once.policy, once.args = container.RestartPolicyDisabled, []string{"-for", "100ms", "-code", "3"}
	e.run(t, once)
	eventually(t, soon, func() error {
		c, err := e.api.ContainerInspect(t.Context(), "crash-01-ssh")
		must(t, err)
		gone, err := e.api.ContainerInspect(t.Context(), "crash-02-ssh")
		must(t, err)
		return errors.Join(unless(c.State.Running && c.State.Pid != before, "crash-01 is %s", c.State.Status),
			unless(gone.State.Status == "exited" && gone.State.ExitCode == 3, "crash-02 is %s", gone.State.Status))
	})
}

func TestTheDatabaseTakesForeignWrites(t *testing.T) {
	db := newDatabase(t, shortDir(t, "")+"/decnet.db")
	db.foreignInsert(t, "local", "a", "pending")
	db.foreignInsert(t, "other", "a", "running")
	db.foreignState(t, "a", "failed")
	must(t, db.state(t, "a", "failed"))
	must(t, db.state(t, "b", ""))
	rows := db.rows(t)
	if len(rows) != 2 || rows[1].State != "running" || rows[0].LastSeen.Valid {
		t.Errorf("rows %+v", rows)
	}
	must(t, checkStamp(rows[0].UpdatedAt))
}

// TestTheSubscriberTakesEachEventOnce feeds it what a broker would send.
func TestTheSubscriberTakesEachEventOnce(t *testing.T) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _ = ours.Close(); _ = theirs.Close() })
	s := &subscriber{}
	go s.listen(theirs, make(chan struct{}))
	const topic = "decky.local:a.state"
	body := []byte(`{"v":1,"id":"x","topic":"decky.local:a.state","type":"state","ts":1.5,"payload":{"host_uuid":"local",` +
		`"name":"a","state":"running","transition":"inserted","source":"fleet","rev":1,"event_id":"0123456789abcdef0123456789abcdef"}}`)
	write(t, ours, frame{verb: "EVT", args: topic, body: body}, frame{verb: "EVT", args: topic, body: body})
	eventually(t, prompt, func() error { return unless(len(s.all(t)) == 2, "heard %d", len(s.all(t))) })
	if story := s.story(t, "a"); len(story) != 1 || story[0] != "inserted running" {
		t.Errorf("told %v", story)
	}
	st := &stage{t: t, sub: s}
	must(t, st.follows("a"))
}
