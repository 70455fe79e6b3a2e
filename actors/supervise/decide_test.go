package supervise

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestJudgeTable(t *testing.T) {
	p := Policy{}.filled()
	ago := func(seconds ...int) (out []time.Time) {
		for _, s := range seconds {
			out = append(out, noon.Add(-time.Duration(s)*time.Second))
		}
		return out
	}
	for name, c := range map[string]struct {
		h    history
		f    failure
		want verdict
	}{
		"the first crash waits 100 ms":                      {history{}, failure{}, verdict{restart, 100 * time.Millisecond}},
		"the second crash waits twice as long":              {history{crashes: ago(1), fails: 1}, failure{}, verdict{restart, 200 * time.Millisecond}},
		"the fourth crash in 30 s still restarts":           {history{crashes: ago(3, 2, 1), fails: 3}, failure{}, verdict{restart, 800 * time.Millisecond}},
		"the fifth crash in 30 s is quarantined":            {history{crashes: ago(30, 3, 2, 1), fails: 4}, failure{}, verdict{quarantine, time.Minute}},
		"the fifth crash in 31 s is not":                    {history{crashes: ago(31, 3, 2, 1), fails: 4}, failure{}, verdict{restart, 1600 * time.Millisecond}},
		"the wait ends at 30 s":                             {history{crashes: ago(40), fails: 40}, failure{}, verdict{restart, 30 * time.Second}},
		"a minute of health forgets all":                    {history{crashes: ago(4, 3, 2, 1), fails: 40, quarantined: true}, failure{up: time.Minute}, verdict{restart, 100 * time.Millisecond}},
		"less than a minute of health forgets nothing":      {history{fails: 3}, failure{up: 59 * time.Second}, verdict{restart, 800 * time.Millisecond}},
		"one crash after a retry goes back to quarantine":   {history{quarantined: true, fails: 5}, failure{up: 50 * time.Second}, verdict{quarantine, time.Minute}},
		"no jitter takes a quarter off":                     {history{}, failure{jitter: -1}, verdict{restart, 75 * time.Millisecond}},
		"the fourth crash of a subsystem in 60 s restarts":  {history{crashes: ago(60, 50, 40), fails: 3}, failure{subsystem: true}, verdict{restart, 800 * time.Millisecond}},
		"the fifth crash of a subsystem in 60 s escalates":  {history{crashes: ago(60, 50, 40, 31), fails: 4}, failure{subsystem: true}, verdict{do: escalate}},
		"the fifth crash of a subsystem in 61 s does not":   {history{crashes: ago(61, 50, 40, 31), fails: 4}, failure{subsystem: true}, verdict{restart, 1600 * time.Millisecond}},
		"five crashes of an actor within 60 s do not count": {history{crashes: ago(60, 50, 40, 31), fails: 4}, failure{}, verdict{restart, 1600 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			c.f.at = noon
			switch c.f.jitter {
			case 0:
				c.f.jitter = 0.5
			case -1:
				c.f.jitter = 0
			}
			if _, got := judge(c.h, c.f, p); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRootGivesUpAtTheThirdEscalationInFiveMinutes(t *testing.T) {
	limit := Policy{}.filled().Root
	var past []time.Time
	now := noon
	for i, c := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Minute, false}, {5 * time.Minute, false}, {time.Minute, false}, {time.Minute, true}} {
		now = now.Add(c.after)
		var over bool
		if past, over = giveUp(past, now, limit); over != c.want {
			t.Errorf("escalation %d: gave up %v, want %v (%v)", i+1, over, c.want, past)
		}
	}
}

func TestStormIsAnnouncedOnceAWindow(t *testing.T) {
	limit := Intensity{3, 10 * time.Second}
	var past []time.Time
	var last time.Time
	var announced []int
	for i := range 30 { // one crash a second
		now := noon.Add(time.Duration(i) * time.Second)
		var say bool
		if past, say = stormy(past, now, last, limit); say {
			last = now
			announced = append(announced, i)
		}
	}
	if !slices.Equal(announced, []int{2, 13, 24}) {
		t.Error("announced at seconds", announced)
	}
}

func TestStuckIsNeverTooEarly(t *testing.T) {
	for _, c := range []struct {
		ran  time.Duration
		want bool
	}{{5 * time.Second, false}, {6 * time.Second, false}, {6*time.Second + 1, true}} {
		if got := isStuck(c.ran, 0, 5*time.Second); got != c.want {
			t.Errorf("after %v: stuck %v, want %v", c.ran, got, c.want)
		}
	}
}

func TestBackoffStaysInItsBounds(t *testing.T) {
	p := Policy{}.filled()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 1<<40).Draw(t, "n")
		jitter := rapid.Float64Range(0, 0.999999).Draw(t, "jitter")
		wait, plain := backoff(n, jitter, p), backoff(n, 0.5, p)
		if plain < p.BackoffMin || plain > p.BackoffMax {
			t.Fatalf("%v is outside of %v to %v", plain, p.BackoffMin, p.BackoffMax)
		}
		if wait < plain*3/4-1 || wait > plain*5/4+1 {
			t.Fatalf("%v is more than 25 %% from %v", wait, plain)
		}
		if next := backoff(n+1, 0.5, p); next < plain || next > 2*plain {
			t.Fatalf("%v follows %v", next, plain)
		}
	})
}

// TestJudgeHoldsOverAnyHistory feeds any row of crashes and checks each verdict against a count over all of them.
func TestJudgeHoldsOverAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{}.filled()
		subsystem := rapid.Bool().Draw(t, "subsystem")
		limit := p.Actor
		if subsystem {
			limit = p.Subsystem
		}
		var h history
		var all []time.Time
		now, jail := noon, false
		for range rapid.IntRange(1, 40).Draw(t, "crashes") {
			up := time.Duration(rapid.IntRange(0, 70_000).Draw(t, "up ms")) * time.Millisecond
			now = now.Add(up)
			if up >= p.Healthy {
				all, jail = nil, false
			}
			all = append(all, now)
			f := failure{at: now, up: up, subsystem: subsystem, jitter: rapid.Float64Range(0, 0.99).Draw(t, "jitter")}
			before := slices.Clone(h.crashes)
			next, got := judge(h, f, p)
			if again, same := judge(h, f, p); same != got || !slices.Equal(again.crashes, next.crashes) || !slices.Equal(before, h.crashes) {
				t.Fatal("judge is not a function of its input")
			}
			if len(next.crashes) > limit.Count {
				t.Fatal("the history grows", len(next.crashes))
			}
			many := len(slices.DeleteFunc(slices.Clone(all), func(c time.Time) bool { return now.Sub(c) > limit.Window })) >= limit.Count
			want := restart
			switch {
			case subsystem && many:
				want, all = escalate, nil
			case !subsystem && (many || jail):
				want, jail = quarantine, true
			}
			if got.do != want {
				t.Fatalf("%v, want %v, after %v", got, want, all)
			}
			h = next
		}
	})
}
