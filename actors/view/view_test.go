package view

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// list is a feed that keeps everything.
type list struct{ all []messages.Event }

func (l *list) Append(e messages.Event) { l.all = append(l.all, e) }

func stage(t *testing.T, story func(v *supervise.Ref, feed *list)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		feed := &list{}
		v := sys.Spawn(supervise.Spec{Kind: "view", ID: "view", New: func() supervise.Receiver {
			return New(Config{HostUUID: "local", Version: "v", Instance: "i", PID: 1, Feed: feed,
				Counters: func(name string) supervise.Stats {
					return map[string]supervise.Stats{"d1": {Restarts: 2}}[name]
				},
				Extra: func() map[string]int64 { return map[string]int64{"containers": 3} }})
		}})
		synctest.Wait()
		story(v, feed)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func ask[T any](t *testing.T, v *supervise.Ref, question any) T {
	t.Helper()
	a, err := v.Ask(context.Background(), question)
	if err != nil {
		t.Fatal(err)
	}
	return a.(T)
}

func TestStatusCountsRowsAndNamesWhatIsHeld(t *testing.T) {
	stage(t, func(v *supervise.Ref, feed *list) {
		v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: "d2", State: "running"}})
		v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: "d1", State: "running", Held: &messages.Held{What: "delete", Why: "no witness"}}})
		v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: "d3"}})
		v.Tell(messages.DeckyGone{Name: "d3"})
		v.Tell(messages.ComponentReported{Status: messages.ComponentStatus{Component: "outbox", Waiting: 7}})
		s := ask[messages.Status](t, v, messages.GetStatus{})
		if s.Deckies["running"] != 2 || len(s.Deckies) != 1 || len(s.Held) != 1 || s.Held[0].Name != "d1" || s.OutboxDepth != 7 || s.Counters["containers"] != 3 {
			t.Errorf("%+v", s)
		}
		deckies := ask[[]messages.DeckyStatus](t, v, messages.GetDeckies{})
		if len(deckies) != 2 || deckies[0].Name != "d1" || deckies[0].Restarts != 2 {
			t.Errorf("%+v", deckies)
		}
		if len(feed.all) != 1 || feed.all[0].Type != "held" { // a component without a state is no event
			t.Errorf("events %+v", feed.all)
		}
	})
}

func TestManyThatAreHeldAlikeAreOneEvent(t *testing.T) {
	stage(t, func(v *supervise.Ref, feed *list) {
		hold := func(name, why string) {
			v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: name, Held: &messages.Held{What: "delete", Why: why}}})
		}
		for i := range 100 {
			hold(fmt.Sprint("d", i), "no witness")
		}
		hold("d1", "a deploy of DECNET is in progress")
		synctest.Wait()
		if len(feed.all) != 2 {
			t.Errorf("%d events, want 2", len(feed.all))
		}
		time.Sleep(heldAlike)
		hold("d1", "no witness")
		synctest.Wait()
		if len(feed.all) != 3 {
			t.Errorf("held anew: %d events, want 3", len(feed.all))
		}
	})
}

func TestRoleFollowsTheLeaseAndTheSources(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		role := func() string { return ask[messages.Status](t, v, messages.GetStatus{}).Role }
		lease := func(state string) {
			v.Tell(messages.ComponentReported{Status: messages.ComponentStatus{Component: "lease", State: state}})
		}
		if got := role(); got != "starting" {
			t.Error(got)
		}
		lease("ok")
		if got := role(); got != "starting" {
			t.Errorf("%s although no source has answered", got)
		}
		v.Tell(messages.FleetReported{Open: true})
		if got := role(); got != "owner" {
			t.Error(got)
		}
		lease("standby")
		if got := role(); got != "standby" {
			t.Error(got)
		}
	})
}

func TestAQuarantineIsShownSinceItBeganUntilItEnds(t *testing.T) {
	stage(t, func(v *supervise.Ref, feed *list) {
		v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: "d1", Phase: "quiet"}})
		shown := func() messages.DeckyStatus { return ask[[]messages.DeckyStatus](t, v, messages.GetDeckies{})[0] }
		began := time.Now()
		v.Tell(messages.DeckyCrashed{Name: "d1", Quarantined: true, Reason: "index out of range"})
		if d := shown(); d.Phase != "quarantined" || d.Reason != "index out of range" || !d.QuarantinedAt.Equal(began) {
			t.Errorf("%+v", d)
		}
		time.Sleep(time.Minute) // it was tried again, and crashed again
		v.Tell(messages.DeckyCrashed{Name: "d1", Quarantined: true, Reason: "nil map"})
		if d := shown(); d.Reason != "nil map" || !d.QuarantinedAt.Equal(began) {
			t.Errorf("%+v", d)
		}
		v.Tell(messages.DeckyCrashed{Name: "d1"}) // an operator released it, of which the supervisor tells
		if d := shown(); d.Phase != "quiet" || !d.QuarantinedAt.IsZero() || len(feed.all) != 0 {
			t.Errorf("%+v, events %+v", d, feed.all)
		}
		v.Tell(messages.DeckyCrashed{Name: "d1", Quarantined: true, Reason: "nil map"})
		v.Tell(messages.DeckyCrashed{Name: "d1", Reason: "tried again, and it runs"})
		if d := shown(); d.Phase != "quiet" || len(feed.all) != 1 || feed.all[0].Type != "released" || feed.all[0].Target != "d1" || feed.all[0].Cause == "" {
			t.Errorf("%+v, events %+v", d, feed.all)
		}
	})
}

func TestTheVersionOfTheDeckiesChangesWithThem(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		version := func() messages.DeckiesVersion {
			return ask[messages.DeckiesVersion](t, v, messages.GetDeckiesVersion{})
		}
		seen := map[messages.DeckiesVersion]bool{version(): true}
		for what, msg := range map[string]any{
			"a decky comes": messages.DeckyReported{Status: messages.DeckyStatus{Name: "d1"}}, "it changes": messages.DeckyReported{Status: messages.DeckyStatus{Name: "d1", State: "failed"}},
			"it crashes": messages.DeckyCrashed{Name: "d1", Quarantined: true}, "it goes": messages.DeckyGone{Name: "d1"},
		} {
			v.Tell(msg)
			now := version()
			if seen[now] {
				t.Errorf("%s, and the version is one that was there", what)
			}
			seen[now] = true
		}
		if before := version(); before != version() {
			t.Error("the version changes by itself")
		}
	})
}

func TestDeckiesAreListedByNameAlsoAfterOneCameOrWent(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		names := func() (out string) {
			for _, d := range ask[[]messages.DeckyStatus](t, v, messages.GetDeckies{}) {
				out += d.Name
			}
			return out
		}
		for _, step := range []struct {
			msg  any
			want string
		}{
			{messages.DeckyReported{Status: messages.DeckyStatus{Name: "b"}}, "b"}, {messages.DeckyReported{Status: messages.DeckyStatus{Name: "a"}}, "ab"},
			{messages.DeckyReported{Status: messages.DeckyStatus{Name: "a", State: "failed"}}, "ab"}, {messages.DeckyGone{Name: "b"}, "a"},
			{messages.DeckyReported{Status: messages.DeckyStatus{Name: "c"}}, "ac"},
		} {
			v.Tell(step.msg)
			if got := names(); got != step.want {
				t.Errorf("after %+v: %q, want %q", step.msg, got, step.want)
			}
		}
	})
}

func TestACommittedTransitionIsAnEventWithItsPayloadVerbatim(t *testing.T) {
	stage(t, func(v *supervise.Ref, feed *list) {
		payload := `{"host_uuid":"local","name":"d1","state":"failed","transition":"state_changed","source":"fleet","previous_state":"running","rev":2,"event_id":"x","observed_at":null,"cause":"docker:die"}`
		v.Tell(messages.OutboxAppended{Rows: []messages.OutboxRow{{ID: 1, Name: "d1", Topic: "decky.local:d1.state", Payload: payload}}})
		s := ask[messages.Status](t, v, messages.GetStatus{})
		if len(feed.all) != 1 || string(feed.all[0].Payload) != payload || feed.all[0].From != "running" || feed.all[0].To != "failed" {
			t.Errorf("%+v", feed.all)
		}
		if s.Counters["transitions_state_changed"] != 1 {
			t.Errorf("%v", s.Counters)
		}
	})
}

// told notes that it was asked to report.
type told struct{ n int }

func (x *told) Tell(m any) bool {
	if _, is := m.(messages.ReportsWanted); is {
		x.n++
	}
	return true
}

func TestARestartedViewAsksForEverythingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		who := &told{}
		v := sys.Spawn(supervise.Spec{Kind: "view", ID: "view", New: func() supervise.Receiver {
			return New(Config{Feed: &list{}, Reporters: []Teller{who}, Counters: func(string) supervise.Stats { return supervise.Stats{} }})
		}})
		synctest.Wait()
		sys.Restart(v, "test")
		time.Sleep(time.Second)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if who.n != 1 {
			t.Errorf("asked %d times", who.n)
		}
	})
}

// TestARestartedDeckyKeepsWhenItLastChanged: its new life knows the row only.
func TestARestartedDeckyKeepsWhenItLastChanged(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		at := messages.Moment{Time: time.Now()}
		v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: "d1", State: "running", Rev: 7, Cause: "docker:start", ChangedAt: at}})
		v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: "d1", State: "running"}})
		if d := ask[[]messages.DeckyStatus](t, v, messages.GetDeckies{}); d[0].Rev != 7 || d[0].Cause != "docker:start" || d[0].ChangedAt != at {
			t.Errorf("%+v", d[0])
		}
		v.Tell(messages.DeckyGone{Name: "d1"})
		v.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: "d1"}})
		if d := ask[[]messages.DeckyStatus](t, v, messages.GetDeckies{}); !d[0].ChangedAt.IsZero() {
			t.Errorf("remembers another decky's past: %+v", d[0])
		}
	})
}
