package view

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

func decided(name, reason string, at time.Time) messages.DeckyReported {
	return messages.DeckyReported{Status: messages.DeckyStatus{Name: name, Declared: "present", Recorded: "present", Observed: "present", State: "running"},
		Decision: messages.Decision{At: messages.Moment{Time: at}, Reason: reason, State: "running", Cause: "docker:die", Times: 1}}
}

func inspected(t *testing.T, v *supervise.Ref, q messages.GetInspection) messages.Inspection {
	t.Helper()
	return ask[messages.Inspection](t, v, q)
}

func TestInspectionTellsTheLastDecisionsNewestFirstAndCountsEqualOnes(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		now := time.Now()
		v.Tell(decided("d1", "one", now))
		v.Tell(decided("d1", "two", now.Add(time.Second)))
		same := decided("d1", "two", now.Add(2*time.Second))
		same.Repeated = 5
		v.Tell(same)
		held := decided("d1", "three", now.Add(3*time.Second))
		held.Decision.Held = &messages.Held{What: "delete", Why: "no witness", Hash: "abc", Until: messages.Moment{Time: now.Add(time.Hour)}}
		v.Tell(held)
		d := inspected(t, v, messages.GetInspection{Name: "d1"}).Decisions
		if len(d) != 3 || d[0].Reason != "three" || d[1].Reason != "two" || d[1].Times != 7 || d[2].Reason != "one" || d[2].Times != 1 {
			t.Fatalf("%+v", d)
		}
		if h := d[0].Held; h == nil || *h != (messages.Held{What: "delete", Why: "no witness", Hash: "abc", Until: messages.Moment{Time: now.Add(time.Hour).UTC()}}) {
			t.Errorf("held %+v", h)
		}
		if !slices.Equal(d[0].Changed, []string{"reason", "held"}) || !slices.Equal(d[1].Changed, []string{"reason"}) || d[2].Changed != nil {
			t.Errorf("changed %v, %v, %v", d[0].Changed, d[1].Changed, d[2].Changed)
		}
		if d := inspected(t, v, messages.GetInspection{Name: "d1", Most: 1}).Decisions; len(d) != 1 || len(d[0].Changed) != 2 {
			t.Errorf("of one alone: %+v", d)
		}
		if !d[1].At.Equal(now.Add(time.Second)) || d[1].Cause != "docker:die" {
			t.Errorf("%+v", d[1])
		}
	})
}

func TestFactsHaveTheAgeOfTheLastCompleteLook(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		began := time.Now()
		m := decided("d1", "converged", began)
		m.Status.ObservedAt, m.Status.DeclaredAt = messages.Moment{Time: began}, messages.Moment{Time: began}
		m.Status.Services = []messages.ServiceSeen{{Service: "ssh", State: "running"}, {Service: "smtp", State: "exited", Health: "unhealthy"}}
		v.Tell(m)
		time.Sleep(10 * time.Second)
		v.Tell(messages.FleetReported{Sources: []messages.SourceSeen{
			{Source: messages.SourceDeclared, Known: true, Stamp: messages.Stamp{Epoch: 2, Seq: 7}, Whole: began.Add(8 * time.Second)},
			{Source: messages.SourceObserved, Known: false, Stamp: messages.Stamp{Epoch: 1, Seq: 3}}}})
		f := inspected(t, v, messages.GetInspection{Name: "d1"}).Facts
		if len(f) != 3 || f[0].AgeSeconds != 2 || f[0].Epoch != 2 || f[0].Seq != 7 {
			t.Errorf("declared %+v", f[0])
		}
		if f[1].Detail != "state running" || !f[1].SeenAt.IsZero() || f[1].AgeSeconds != 0 {
			t.Errorf("recorded %+v", f[1])
		}
		if f[2].AgeSeconds != 10 || f[2].Detail != "the source is down; ssh running, smtp exited (unhealthy)" {
			t.Errorf("observed %+v", f[2])
		}
	})
}

func TestInspectionOfNobodyIsAnError(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		v.Tell(decided("d1", "x", time.Now()))
		v.Tell(messages.DeckyGone{Name: "d1"})
		if err := ask[error](t, v, messages.GetInspection{Name: "d1"}); !errors.Is(err, messages.ErrUnknownTarget) {
			t.Error(err)
		}
	})
}

func TestAPauseIsShownAndWarnsAfterADay(t *testing.T) {
	stage(t, func(v *supervise.Ref, _ *list) {
		since := messages.Moment{Time: time.Now()}
		v.Tell(decided("d1", "x", time.Now()))
		v.Tell(messages.FleetReported{Pauses: []messages.Pause{{Target: "*", By: "bob", Since: since}, {Target: "d1", By: "alice", Since: since}}})
		if p := inspected(t, v, messages.GetInspection{Name: "d1"}).Paused; p == nil || p.By != "alice" {
			t.Errorf("%+v", p)
		}
		s := ask[messages.Status](t, v, messages.GetStatus{})
		if len(s.Paused) != 2 || len(s.Warnings) != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(24 * time.Hour)
		if s = ask[messages.Status](t, v, messages.GetStatus{}); len(s.Warnings) != 2 || !strings.Contains(s.Warnings[0], "still paused: *") {
			t.Errorf("after a day: %q", s.Warnings)
		}
	})
}

// keep remembers decisions of one decky through ring and archive.
func keep(n int, budget int64) (*View, []packed) {
	v := New(Config{Feed: &list{}})
	v.archive = newArchiveOf(budget)
	for i := range n {
		v.remember(decided("d1", fmt.Sprint(i%3000), time.Unix(int64(i+1), 0)))
	}
	return v, v.decisions["d1"].list(v.archive, n)
}

func TestOlderDecisionsComeFromTheArchiveInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		v, got := keep(n+1, 1<<20)
		if len(got) != n+1 {
			t.Fatalf("%d of %d", len(got), n+1)
		}
		for i, p := range got {
			if want := fmt.Sprint(n - i); v.words.text(p.reason) != want {
				t.Fatalf("%d is %s, want %s", i, v.words.text(p.reason), want)
			}
		}
		if most := v.decisions["d1"].list(v.archive, 3); len(most) != min(3, n+1) || most[0] != got[0] {
			t.Fatalf("the last three: %v", most)
		}
	})
}

func TestEightDecisionsStayWhenTheArchiveIsOverwritten(t *testing.T) {
	v, _ := keep(20, 1) // the least there is: one chunk
	for i := range 2 * archiveChunk {
		v.remember(decided("d2", fmt.Sprint(i), time.Unix(int64(i+1), 0)))
	}
	if n := len(v.decisions["d1"].list(v.archive, 100)); n != always {
		t.Errorf("%d decisions of d1, want %d", n, always)
	}
	if n := len(v.decisions["d2"].list(v.archive, 1<<20)); n != archiveChunk+always {
		t.Errorf("%d decisions of d2, want %d", n, archiveChunk+always)
	}
}

func TestTheArchiveStaysWithinItsBudget(t *testing.T) {
	v := New(Config{Feed: &list{}})
	before := heapBytes()
	for i := range 600_000 {
		v.remember(decided("d1", fmt.Sprint(i%2), time.Unix(int64(i+1), 0)))
	}
	if grown := heapBytes() - before; grown > archiveBytes+1<<20 {
		t.Errorf("%d MiB", grown>>20)
	}
	runtime.KeepAlive(v)
}

func TestHostileWordsDoNotGrowForEver(t *testing.T) {
	w := newWords()
	for i := range 3 * maxWords {
		w.number(fmt.Sprint(i))
	}
	if n := w.number(strings.Repeat("x", 1<<20)); len(w.texts) != maxWords || w.text(n) != otherWord {
		t.Errorf("%d words, %q", len(w.texts), w.text(n))
	}
	if got := newWords(); len(got.text(got.number(strings.Repeat("ä", 1000)))) > maxWord+3 {
		t.Error("a long word is kept whole")
	}
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func inSampler(t *testing.T, story func(sys *supervise.System, s *supervise.Ref)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }})
		if err != nil {
			t.Fatal(err)
		}
		s := sys.Spawn(supervise.Spec{Kind: "sampler", ID: "actors", New: func() supervise.Receiver { return NewSampler(sys) }})
		synctest.Wait()
		story(sys, s)
		if err := sys.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func find(t *testing.T, l messages.ActorList, pid string) messages.ActorStatus {
	t.Helper()
	for _, a := range l.Items {
		if a.PID == pid {
			return a
		}
	}
	t.Fatalf("no %s in %+v", pid, l.Items)
	return messages.ActorStatus{}
}

func TestRatesAreThereWhileSomebodyLooksAndNotAfter(t *testing.T) {
	inSampler(t, func(sys *supervise.System, s *supervise.Ref) {
		x := sys.Spawn(supervise.Spec{Kind: "x", ID: "1", New: func() supervise.Receiver { return supervise.Func(func(*supervise.Ctx, any) {}) }})
		if l := ask[messages.ActorList](t, s, messages.GetActors{}); l.Sampled {
			t.Error("rates before anything was sampled")
		}
		for range 50 {
			x.Tell(1)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		l := ask[messages.ActorList](t, s, messages.GetActors{})
		if a := find(t, l, "x/1"); !l.Sampled || a.InPerSecond != 50 || a.DonePerSecond != 50 || a.Done != 50 || a.State != "running" || a.P99Seconds == 0 || a.UpSeconds != 1 {
			t.Errorf("%+v", a)
		}
		if times := ask[[]messages.HandlerTime](t, s, messages.GetHandlerTimes{}); len(times) == 0 {
			t.Error("no handler times")
		}
		time.Sleep(lookFor + 2*sampleEvery)
		synctest.Wait()
		if p50, _ := x.Times(); p50 != 0 {
			t.Error("handlers are timed though nobody looks")
		}
		if l := ask[messages.ActorList](t, s, messages.GetActors{}); l.Sampled {
			t.Error("old rates")
		}
	})
}

func TestAStuckActorIsShownWithoutBeingAsked(t *testing.T) {
	inSampler(t, func(sys *supervise.System, s *supervise.Ref) {
		gate := make(chan struct{})
		x := sys.Spawn(supervise.Spec{Kind: "x", ID: "1", New: func() supervise.Receiver {
			return supervise.Func(func(_ *supervise.Ctx, msg any) {
				if msg == any(1) {
					<-gate
				}
			})
		}})
		synctest.Wait()
		x.Tell(1)
		x.Tell(2)
		time.Sleep(10 * time.Second)
		began := time.Now()
		a := find(t, ask[messages.ActorList](t, s, messages.GetActors{}), "x/1")
		if !a.Stuck || a.Mailbox != 1 || a.InHandlerSeconds < 9 || a.OldestSeconds < 9 || time.Since(began) != 0 {
			t.Errorf("%+v after %v", a, time.Since(began))
		}
		close(gate)
	})
}

// BenchmarkReport measures what a decky's report costs the view, with the decision that comes with it.
func BenchmarkReport(b *testing.B) {
	v := New(Config{Feed: &list{}})
	now := time.Unix(1, 0)
	names := make([]string, 10_000)
	for i := range names {
		names[i] = fmt.Sprintf("decky-%05d", i)
	}
	reasons := [...]string{"converged", "containers differ from the row"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		v.remember(decided(names[i%len(names)], reasons[(i/len(names))%2], now))
	}
}

// BenchmarkSample measures what an open console costs each second at 10,000 actors. Target: 50 ms, 5 % of a core.
func BenchmarkSample(b *testing.B) {
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 10_000 {
		sys.Spawn(supervise.Spec{Kind: "decky", ID: fmt.Sprint(i), New: func() supervise.Receiver { return supervise.Func(func(*supervise.Ctx, any) {}) }})
	}
	s := NewSampler(sys)
	began := processor(b)
	for b.Loop() {
		sys.Measure(true)
		s.sample(time.Now())
	}
	b.StopTimer()
	b.ReportMetric(float64(processor(b)-began)/float64(b.N)/1e6, "cpu-ms/op") // what a busy machine does not falsify
	if err := sys.Shutdown(b.Context()); err != nil {
		b.Error(err)
	}
}

// processor is the processor time of this process so far, in nanoseconds.
func processor(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
