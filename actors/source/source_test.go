package source

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// script is an observer that emits what the test gives it.
type script struct {
	readings chan messages.Reading
	pokes    chan struct{}
}

func (s *script) Observe(ctx context.Context, _ func(func()), poke <-chan struct{}, emit func(messages.Reading)) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-s.readings:
			emit(r)
		case <-poke:
			s.pokes <- struct{}{}
		}
	}
}

type ear struct {
	mu   sync.Mutex
	all  []any
	full bool
}

func (e *ear) Tell(m any) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.full {
		e.all = append(e.all, m)
	}
	return !e.full
}

func (e *ear) block(full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.full = full
}

func (e *ear) take() []any {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

func stage(t *testing.T, kind messages.Source, story func(s *script, fleet *ear, ref *supervise.Ref)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		s, fleet := &script{readings: make(chan messages.Reading), pokes: make(chan struct{}, 8)}, &ear{}
		ref := sys.Spawn(supervise.Spec{Kind: "source", ID: string(kind), Subsystem: true, New: func() supervise.Receiver {
			return New(Config{Source: kind, Observer: s, Fleet: fleet, View: &ear{}, Component: "x"})
		}})
		story(s, fleet, ref)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func list(full bool, containers ...messages.Container) messages.RuntimeRead {
	r := messages.RuntimeRead{Full: full, Containers: containers}
	for _, c := range containers {
		r.Asked = append(r.Asked, c.ID)
	}
	return r
}

func box(id, state string) messages.Container {
	return messages.Container{ID: id, Name: id, State: state}
}

func TestASourceTellsOnlyWhatDiffers(t *testing.T) {
	stage(t, messages.SourceObserved, func(s *script, fleet *ear, _ *supervise.Ref) {
		s.readings <- list(true, box("a", "running"), box("b", "running"))
		s.readings <- list(false, box("a", "exited"))
		s.readings <- list(true, box("a", "exited"))
		synctest.Wait()
		told := fleet.take()
		if len(told) != 3 {
			t.Fatalf("%d messages", len(told))
		}
		first, second, third := told[0].(messages.RuntimeChanged), told[1].(messages.RuntimeChanged), told[2].(messages.RuntimeChanged)
		if !first.Full || len(first.Changed) != 2 {
			t.Errorf("first %+v", first)
		}
		if second.Full || len(second.Changed) != 1 || len(second.Gone) != 0 || second.Drift != 0 {
			t.Errorf("second %+v", second)
		}
		if third.Full || len(third.Changed) != 0 || !slices.Equal(third.Gone, []string{"b"}) || third.Drift != 1 {
			t.Errorf("third %+v", third)
		}
		if !first.Stamp.Before(second.Stamp) || !second.Stamp.Before(third.Stamp) {
			t.Error("stamps do not ascend")
		}
	})
}

func TestAfterAFailureEverythingIsToldAgain(t *testing.T) {
	stage(t, messages.SourceObserved, func(s *script, fleet *ear, _ *supervise.Ref) {
		s.readings <- list(true, box("a", "running"))
		s.readings <- messages.SourceFailed{Source: messages.SourceObserved}
		s.readings <- list(false, box("a", "exited"))
		s.readings <- list(true, box("a", "exited"))
		synctest.Wait()
		told := fleet.take()
		if len(told) != 3 {
			t.Fatalf("%d messages: a part of an unknown whole says nothing", len(told))
		}
		if _, down := told[1].(messages.SourceDown); !down {
			t.Errorf("%T", told[1])
		}
		if m := told[2].(messages.RuntimeChanged); !m.Full || len(m.Changed) != 1 {
			t.Errorf("%+v", m)
		}
	})
}

func TestAFullFleetHearsEverythingLater(t *testing.T) {
	stage(t, messages.SourceDeclared, func(s *script, fleet *ear, _ *supervise.Ref) {
		fleet.block(true)
		s.readings <- messages.DeclaredRead{Status: messages.FileValid, Entries: []messages.Declared{{Name: "a"}, {Name: "b"}}}
		time.Sleep(time.Second)
		fleet.block(false)
		time.Sleep(time.Second)
		synctest.Wait()
		told := fleet.take()
		if len(told) != 1 || !told[0].(messages.DeclaredChanged).Full || len(told[0].(messages.DeclaredChanged).Entries) != 2 {
			t.Errorf("%+v", told)
		}
	})
}

func TestAnInvalidFileKeepsTheLastGoodOne(t *testing.T) {
	stage(t, messages.SourceDeclared, func(s *script, fleet *ear, ref *supervise.Ref) {
		s.readings <- messages.DeclaredRead{Status: messages.FileValid, Entries: []messages.Declared{{Name: "a"}}}
		s.readings <- messages.DeclaredRead{Status: messages.FileInvalid, Fault: messages.Fault{What: "empty"}}
		synctest.Wait()
		fleet.take()
		ref.Tell(messages.GetView{})
		synctest.Wait()
		told := fleet.take()
		if len(told) != 1 || len(told[0].(messages.DeclaredChanged).Entries) != 1 {
			t.Errorf("%+v", told)
		}
	})
}

func TestPokesAreSharedAndPassedOn(t *testing.T) {
	stage(t, messages.SourceRecorded, func(s *script, _ *ear, ref *supervise.Ref) {
		ref.Tell(messages.RereadWanted{})
		synctest.Wait()
		if len(s.pokes) != 1 {
			t.Errorf("%d pokes", len(s.pokes))
		}
	})
}

func TestAFleetThatAsksBeforeTheFirstReadingCausesNoSecondOne(t *testing.T) {
	stage(t, messages.SourceObserved, func(s *script, fleet *ear, ref *supervise.Ref) {
		ref.Tell(messages.GetView{})
		synctest.Wait()
		if len(s.pokes) != 0 {
			t.Error("asked to read before it has read")
		}
		s.readings <- list(true, box("a", "running"))
		synctest.Wait()
		if told := fleet.take(); len(told) != 1 || !told[0].(messages.RuntimeChanged).Full {
			t.Errorf("%+v", told)
		}
		ref.Tell(messages.GetView{})
		synctest.Wait()
		if len(s.pokes) != 1 {
			t.Errorf("read %d times again for a fleet that asks later", len(s.pokes))
		}
	})
}

// TestDiffsAddUpToTheWhole: whoever applies every difference has what the last reading said.
func TestDiffsAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &observed{}
		mirror := map[string]messages.Container{}
		engine := map[string]messages.Container{}
		for range rapid.IntRange(1, 12).Draw(t, "readings") {
			for _, id := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4).Draw(t, "touched") {
				if rapid.Bool().Draw(t, "gone") {
					delete(engine, id)
				} else {
					engine[id] = box(id, rapid.SampledFrom([]string{"running", "exited"}).Draw(t, "state"))
				}
			}
			full := rapid.Bool().Draw(t, "full")
			r := messages.RuntimeRead{Full: full, Asked: []string{"a", "b", "c", "d"}}
			for _, c := range engine {
				r.Containers = append(r.Containers, c)
			}
			msg, _ := d.diff(r, false)
			m, ok := msg.(messages.RuntimeChanged)
			if !ok {
				continue // nothing is known before the first whole list
			}
			if m.Full {
				mirror = map[string]messages.Container{}
			}
			for _, id := range m.Gone {
				delete(mirror, id)
			}
			for _, c := range m.Changed {
				mirror[c.ID] = c
			}
			if !reflect.DeepEqual(mirror, engine) {
				t.Fatalf("mirror %v, engine %v", mirror, engine)
			}
		}
	})
}
