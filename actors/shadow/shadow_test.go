package shadow

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// ear hears everything.
type ear struct {
	mu  sync.Mutex
	all []any
}

func (e *ear) Tell(m any) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, m)
	return true
}

func heard[T any](e *ear) (out []T) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.all {
		if v, is := m.(T); is {
			out = append(out, v)
		}
	}
	return out
}

func stage(t *testing.T, story func(s *supervise.Ref, view, fleet *ear, sys *supervise.System)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		view, fleet := &ear{}, &ear{}
		s := sys.Spawn(supervise.Spec{Kind: "shadow", ID: "shadow", New: func() supervise.Receiver { return New(Config{View: view, Fleet: fleet}) }})
		synctest.Wait()
		story(s, view, fleet, sys)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func report(t *testing.T, s *supervise.Ref) messages.ShadowReport {
	t.Helper()
	a, err := s.Ask(context.Background(), messages.GetShadow{})
	if err != nil {
		t.Fatal(err)
	}
	return a.(messages.ShadowReport)
}

func reported(state, aggregate string) messages.DeckyReported {
	s := row(state, aggregate)
	return messages.DeckyReported{Plan: s.plan, Services: s.services, Status: messages.DeckyStatus{Name: "d", State: state, Aggregate: aggregate,
		Declared: "present", Recorded: "present", Observed: "present"}}
}

func TestShadowTellsWhatItComparedEverywhere(t *testing.T) {
	stage(t, func(s *supervise.Ref, view, _ *ear, _ *supervise.System) {
		s.Tell(reported("running", "running"))
		s.Tell(reported("running", "failed"))
		time.Sleep(3 * time.Second)
		if r := report(t, s); r.Open != 1 || len(r.Items) != 1 || r.Items[0].Outcome != "open" || r.Items[0].Name != "d" {
			t.Errorf("%+v", r)
		}
		s.Tell(reported("failed", "failed"))
		time.Sleep(3 * time.Second)
		r := report(t, s)
		if r.Agreed != 1 || r.Led != 1 || r.EarlierMean != 3 || r.EarlierMax != 3 || r.Open != 0 || len(r.Items) != 1 {
			t.Errorf("%+v", r)
		}
		events := heard[messages.EventHappened](view)
		if len(events) != 1 || events[0].Event.Type != "shadow_agreed" || events[0].Event.Target != "d" || events[0].Event.To != "failed" {
			t.Errorf("events %+v", events)
		}
		lines := heard[messages.ComponentReported](view)
		if last := lines[len(lines)-1].Status; last.Component != "shadow" || last.State != "ok" ||
			last.Detail != "writes nothing; agreed 1 (3.0 s earlier on average), differs 0, missed 0, open 0" {
			t.Errorf("status %+v", last)
		}
	})
}

func TestARowThatGoesWithItsDeckyIsADeletion(t *testing.T) {
	stage(t, func(s *supervise.Ref, _, _ *ear, _ *supervise.System) {
		gone := undeclared("running")
		s.Tell(messages.DeckyReported{Plan: gone.plan, Status: messages.DeckyStatus{Name: "d", State: "running", Declared: "absent", Recorded: "present"}})
		time.Sleep(10 * time.Second)
		s.Tell(messages.DeckyGone{Name: "d"})
		if r := report(t, s); r.Agreed != 1 || r.EarlierMax != 10 || r.Items[0].Action != "delete" {
			t.Errorf("%+v", r)
		}
	})
}

func TestAnIdleShadowSetsNoTimer(t *testing.T) {
	stage(t, func(s *supervise.Ref, _, _ *ear, _ *supervise.System) {
		s.Tell(reported("running", "running"))
		time.Sleep(time.Minute)
		before := s.Stats().In
		time.Sleep(time.Hour)
		if in := s.Stats().In; in != before {
			t.Errorf("%d messages in an idle hour", in-before)
		}
	})
}

func TestAShadowThatCrashedAsksForEverythingAgain(t *testing.T) {
	stage(t, func(s *supervise.Ref, _, fleet *ear, sys *supervise.System) {
		sys.Restart(s, "test")
		time.Sleep(time.Second)
		if !slices.ContainsFunc(heard[messages.ReportsWanted](fleet), func(messages.ReportsWanted) bool { return true }) {
			t.Error("it did not ask")
		}
	})
}

// TestNothingIsEverOnItsWay: the watchdog and a pass ask whoever stands in the store's place.
func TestNothingIsEverOnItsWay(t *testing.T) {
	stage(t, func(s *supervise.Ref, _, _ *ear, _ *supervise.System) {
		a, err := s.Ask(context.Background(), messages.GetQuiesced{})
		if err != nil || a != int64(0) {
			t.Errorf("%v %v", a, err)
		}
	})
}
