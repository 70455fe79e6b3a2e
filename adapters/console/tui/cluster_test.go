package tui

import (
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

const oneID = "11111111-1111-4111-8111-111111111111"

// hubOf is a hub with a worker that is up and one that is stale.
func hubOf() *fake {
	f := newFake()
	f.deckies[1].Node, f.deckies[1].HostUUID = "fw-2", oneID
	f.deckies[2].Node, f.deckies[2].HostUUID, f.deckies[2].Stale = "fw-3", "33333333-3333-4333-8333-333333333333", true
	f.tables[Cluster] = []messages.Member{
		{HostUUID: oneID, Name: "fw-2", Role: "worker", Status: messages.MemberUp, LastContact: messages.Moment{Time: noon.Add(-time.Second)}, Deckies: 1, Lag: 7,
			CertExpires: messages.Moment{Time: noon.Add(12 * 24 * time.Hour)}, SkewSeconds: -2.5},
		{HostUUID: "33333333-3333-4333-8333-333333333333", Name: "fw-3", Role: "worker", Status: messages.MemberStale, Why: "a\x1bb"},
		{HostUUID: "fw-1", Name: "master", Role: "hub", Status: messages.MemberUp, Paused: true},
	}
	there := newFake()
	there.status.HostUUID, there.deckies = oneID, []messages.DeckyStatus{decky("only-here", "running", 2)}
	f.others = map[string]*fake{oneID: there}
	return f
}

func TestTheHostsOfAClusterAreListedAndTheirDeckiesSayWhoseTheyAre(t *testing.T) {
	f := hubOf()
	m := stage(f)
	m.width = 160
	has(t, m, "fw-2", "fw-3 ~stale")
	press(m, "8")
	has(t, m, "cluster[3]", "~ up ", "! stale", "~ up,drained", "12d0h", "-2.5s", "a?b")
	f.tables[Cluster] = []messages.Member{}
	press(m, "8")
	has(t, m, "this host runs alone")
}

func TestAFilterNamesAHost(t *testing.T) {
	m := stage(hubOf())
	press(m, append([]string{"/"}, append(letters("@fw-2"), "enter")...)...)
	has(t, m, "web-02")
	lacks(t, m, ">db-01", " web-01 ")
	press(m, append([]string{"esc", "/"}, append(letters("@fw-3"), "enter")...)...)
	has(t, m, "db-01") // although it has a mark
	press(m, append([]string{"esc", "/"}, append(letters("!@fw-*"), "enter")...)...)
	has(t, m, "web-01")
	lacks(t, m, "web-02")
}

func TestTheConsoleAsksTheHostThatIsChosen(t *testing.T) {
	f := hubOf()
	m := stage(f)
	choose(m, "8", "enter")
	has(t, m, "@fw-2", "only-here")
	lacks(t, m, "web-01")
	m.Update(gotEvent{e: messages.Event{Seq: 9, Type: "inserted", Target: "of-the-hub"}})
	m.Update(gotDeckies{all: f.deckies})
	has(t, m, "only-here")
	lacks(t, m, "of-the-hub", "web-01") // what the other host said too late
	m.Update(gotEvent{e: messages.Event{Seq: 3, Type: "inserted", Target: "of-the-host"}, of: oneID})
	has(t, m, "of-the-host")
	choose(m, "r", "y")
	if len(f.others[oneID].acts) != 1 || len(f.acts) != 0 {
		t.Errorf("the order went to %+v and %+v", f.acts, f.others[oneID].acts)
	}
	choose(m, append([]string{":"}, append(letters("@"), "enter")...)...)
	has(t, m, "web-01")
	choose(m, append([]string{":"}, append(letters("@fw-2"), "enter")...)...)
	has(t, m, "only-here")
	choose(m, append([]string{":"}, append(letters("@nobody"), "enter")...)...)
	has(t, m, "no such host")
	if m.stop != nil {
		m.stop()
	}
}

// choose presses keys and runs what follows, but not the stream of events, which would wait.
func choose(m *Model, keys ...string) {
	for _, k := range keys {
		_, cmd := m.Update(keyOf(k))
		if cmd != nil && m.seq == -1 && len(m.events) == 0 && m.status.HostUUID == "" { // a host was chosen
			run(m, m.fetch())
			continue
		}
		run(m, cmd)
	}
}

func TestAHostIsDrainedOnTheClusterScreenOnly(t *testing.T) {
	f := hubOf()
	m := stage(f)
	press(m, append([]string{":"}, append(letters("drain"), "enter")...)...)
	has(t, m, "it is about hosts")
	press(m, "8", "r")
	has(t, m, "it is about deckies, not hosts")
	press(m, "P")
	has(t, m, "drain fw-2? y")
	press(m, "y")
	if len(f.acts) != 1 || f.acts[0].verb != "drain" || f.acts[0].targets[0] != oneID {
		t.Fatalf("%+v", f.acts)
	}
	press(m, "G", "P", "y")
	if len(f.acts) != 2 || f.acts[1].verb != "undrain" || f.acts[1].targets[0] != "fw-1" {
		t.Errorf("%+v", f.acts)
	}
	press(m, append([]string{"g", ":"}, append(letters("forget"), "enter")...)...)
	has(t, m, "type forget fw-2 and Enter")
	press(m, append(letters("y"), "enter")...)
	if len(f.acts) != 2 {
		t.Errorf("a host is forgotten by a slip: %+v", f.acts)
	}
	m.status.YourRole = "read-only"
	press(m, "P")
	has(t, m, "needs the role operator")
}
