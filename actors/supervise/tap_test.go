package supervise

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func only(id string) func(*Ref) bool { return func(r *Ref) bool { return r.ID() == id } }

func (l *lab) tap(spec TapSpec) *Tap {
	l.t.Helper()
	tap, err := l.Tap(spec)
	if err != nil {
		l.t.Fatal(err)
	}
	return tap
}

func (t *Tap) all() (out []Tapped) {
	synctest.Wait()
	for len(t.out) > 0 {
		out = append(out, <-t.out)
	}
	return out
}

func TestTapShowsWhatOneActorHandlesAndHowItEnded(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		b := l.Spawn(Spec{Kind: "decky", ID: "b", New: bomber(&note[int]{})})
		tap := l.tap(TapSpec{Want: only("a"), Count: 10, For: time.Minute})
		a.Tell(1)
		b.Tell(2)
		a.Tell(boom{})
		got := tap.all()
		if len(got) != 2 || got[0].Actor != "decky/a" || got[0].Type != "int" || got[0].Summary != "int 1" || got[0].Crashed || !got[1].Crashed {
			t.Errorf("%+v", got)
		}
	})
}

func TestTapEndsAfterItsCountAndAfterItsTime(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		counted := l.tap(TapSpec{Want: only("a"), Count: 2, For: time.Hour})
		timed := l.tap(TapSpec{Want: only("a"), Count: 100, For: time.Minute})
		for i := range 5 {
			a.Tell(i)
		}
		if n, m := len(counted.all()), len(timed.all()); n != 2 || m != 5 {
			t.Errorf("%d and %d", n, m)
		}
		<-counted.Done()
		pass(time.Minute)
		<-timed.Done()
		a.Tell(9)
		if n := len(timed.all()); n != 0 || a.eyes.Load() != nil {
			t.Errorf("after the end: %d, eyes %v", n, a.eyes.Load())
		}
	})
}

func TestTapThatNobodyReadsLosesMessagesAndHoldsNobodyUp(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		a := l.Spawn(Spec{Kind: "decky", ID: "a", Mailbox: 4096, New: bomber(&got)})
		tap := l.tap(TapSpec{Want: only("a"), Count: 4096, For: time.Hour})
		for i := range tapBuffer + 100 {
			a.Tell(i)
		}
		synctest.Wait()
		if len(got.list()) != tapBuffer+100 || tap.Dropped() != 100 {
			t.Errorf("handled %d, dropped %d", len(got.list()), tap.Dropped())
		}
		tap.Stop()
		tap.Stop()
	})
}

func TestTapsAreBoundedAndTheirFiltersDoNoHarm(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		if _, err := l.Tap(TapSpec{Want: only("a"), For: time.Minute}); !errors.Is(err, ErrTapBounds) {
			t.Errorf("without a count: %v", err)
		}
		for range maxTaps {
			l.tap(TapSpec{Want: only("a"), Match: func(Tapped) bool { panic("filter") }, Count: 1, For: time.Minute})
		}
		if _, err := l.Tap(TapSpec{Want: only("a"), Count: 1, For: time.Minute}); !errors.Is(err, ErrTaps) {
			t.Errorf("one too many: %v", err)
		}
		a.Tell(1)
		synctest.Wait()
		if s := a.Stats(); s.Done != 1 || s.Crashes != 0 {
			t.Errorf("%+v", s)
		}
		pass(2 * time.Minute)
		l.tap(TapSpec{Want: only("a"), Count: 1, For: time.Minute}).Stop()
	})
}

func TestHandlerTimesAreThereWhileSomebodyLooks(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(_ *Ctx, msg any) {
			if d, is := msg.(time.Duration); is {
				time.Sleep(d) // in the bubble: a handler that takes so long
			}
		})})
		a.Tell(time.Millisecond)
		synctest.Wait()
		l.Measure(true)
		for range 98 {
			a.Tell(time.Millisecond)
		}
		a.Tell(time.Second)
		a.Tell(time.Second)
		pass(10 * time.Second)
		times := l.HandlerTimes()
		p50, p99 := a.Times()
		if len(times) != 1 || times[0].Kind != "decky" || times[0].Type != "time.Duration" || times[0].Count != 100 {
			t.Fatalf("%+v", times)
		}
		if p50 < time.Millisecond || p50 > 1500*time.Microsecond || p99 < time.Second || p99 > 1500*time.Millisecond || times[0].P99 != p99 {
			t.Errorf("p50 %v, p99 %v, %+v", p50, p99, times)
		}
		l.Measure(false)
		if p50, _ := a.Times(); p50 != 0 || len(l.HandlerTimes()) != 0 {
			t.Errorf("after the end: %v, %v", p50, l.HandlerTimes())
		}
	})
}

func TestQuantilesAreNeverTooLowNorMuchTooHigh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(60*time.Second)).Draw(t, "d"))
		var h histogram
		h.add(d)
		q := h.quantile(0.99)
		if q < d || q > max(128, d+d/2+1) {
			t.Fatalf("%v is said to be %v", d, q)
		}
	})
}

// vault is a message with what must not be shown.
type vault struct {
	Name     string
	Note     string
	Big      []byte
	Many     []string
	At       time.Time
	Next     *vault
	Anything any
}

func TestSummaryIsBoundedAndRedacted(t *testing.T) {
	v := vault{Name: "a\x1b[31m", Note: `{"db_password": "hunter2", "token":"t0k"} secret=abc`, Big: make([]byte, 1<<20),
		Many: make([]string, 1<<20), Next: &vault{Next: &vault{Name: "deep"}}, Anything: 7}
	for i := range v.Many {
		v.Many[i] = "x"
	}
	began := time.Now()
	text, size := summarize(v, maxMessage)
	if took := time.Since(began); took > 100*time.Millisecond {
		t.Errorf("took %v", took)
	}
	for _, leak := range []string{"hunter2", "t0k", "abc", "\x1b", "deep"} {
		if strings.Contains(text, leak) {
			t.Errorf("%q is shown in %s", leak, text)
		}
	}
	if text, _ := summarize(struct{ Token uint64 }{7}, 100); !strings.Contains(text, "Token:7") {
		t.Errorf("the number of a pass is no secret: %s", text)
	}
	if len(text) > maxMessage+3 || size < 16<<20 || !strings.Contains(text, "1048576 bytes") || !strings.Contains(text, "…+1048572") {
		t.Errorf("%d bytes, size %d: %s", len(text), size, text)
	}
}

func TestSummaryOfAnythingIsTextOfBoundedLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := vault{Name: rapid.String().Draw(t, "name"), Many: rapid.SliceOf(rapid.String()).Draw(t, "many"),
			Anything: rapid.OneOf(rapid.Just[any](nil), rapid.Just[any](fmt.Errorf("x")), rapid.Just[any](func() {})).Draw(t, "any")}
		text, _ := summarize(v, 200)
		if len(text) > 203 || !utf8.ValidString(text) {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
	})
}
