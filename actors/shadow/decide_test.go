package shadow

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	start  = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	policy = New(Config{}).cfg.Policy
)

// scene is one report so many seconds after the start.
type scene struct {
	at float64
	sight
}

func at(seconds float64, s sight) scene { return scene{seconds, s} }

// row is a decky that is declared, with its row and what its containers add up to; where they differ we would update.
func row(state, aggregate string) sight {
	s := sight{known: true, row: state, aggregate: aggregate, declared: "present", observed: "present", services: []string{"ssh"}}
	switch {
	case state == "" && aggregate != "":
		s.plan = &messages.PlanItem{Name: "d", Action: "insert", To: aggregate}
	case state != aggregate && aggregate != "":
		s.plan = &messages.PlanItem{Name: "d", Action: "update", From: state, To: aggregate}
	}
	return s
}

func (s sight) with(change func(*sight)) sight { change(&s); return s }

func held(what string) func(*sight) {
	return func(s *sight) { s.plan, s.held = nil, &messages.Held{What: what, Why: "a reason"} }
}

// undeclared is a decky that the file no longer has: its row is to go.
func undeclared(state string) sight {
	return sight{known: true, row: state, declared: "absent", observed: "present", plan: &messages.PlanItem{Name: "d", Action: "delete", From: state, To: "torn_down"}}
}

func words(found []finding) (out []string) {
	for _, f := range found {
		text := fmt.Sprintf("%s %s %s>%s", f.item.Outcome, f.item.Action, f.item.From, f.item.To)
		if f.item.Code != "" {
			text += " " + f.item.Code
		}
		if f.item.EarlierSeconds > 0 {
			text += fmt.Sprintf(" +%g", f.item.EarlierSeconds)
		}
		out = append(out, text)
	}
	return out
}

// play tells a story to its end, with a look at the clock each second.
func play(story []scene, until float64) (out []string) {
	var r record
	var found []finding
	next := 0
	for tick := range int(until) + 1 {
		for next < len(story) && story[next].at <= float64(tick) {
			s := story[next].sight
			s.now = start.Add(time.Duration(story[next].at * float64(time.Second)))
			r, found = weigh(r, s, policy)
			out = append(out, words(found)...)
			next++
		}
		r, found = expire(r, start.Add(time.Duration(tick)*time.Second), policy)
		out = append(out, words(found)...)
	}
	return out
}

func TestComparison(t *testing.T) {
	tests := map[string]struct {
		story []scene
		until float64
		want  []string
	}{
		"what is there at the start is nobody's change": {[]scene{at(0, row("running", "running"))}, 200, nil},
		"the reference follows 17 s later": {[]scene{at(0, row("running", "running")), at(3, row("running", "failed")), at(20, row("failed", "failed"))}, 200,
			[]string{"agreed update running>failed +17"}},
		"the reference inserts what we would have": {[]scene{at(0, row("", "running")), at(12, row("running", "running"))}, 200,
			[]string{"agreed insert >running +12"}},
		"the reference deletes what we would have": {[]scene{at(0, undeclared("running")), at(9, sight{known: true, declared: "absent"})}, 200,
			[]string{"agreed delete running> +9"}},
		"the reference never does it": {[]scene{at(0, row("running", "failed"))}, 300, []string{"missed update running>failed never"}},
		"it does it after its time: agreed after all": {[]scene{at(0, row("running", "failed")), at(120, row("failed", "failed"))}, 300,
			[]string{"missed update running>failed never", "agreed update running>failed +120"}},
		"it was over before the reference looked": {[]scene{at(0, row("running", "running")), at(1, row("running", "failed")), at(4, row("running", "running"))}, 200,
			[]string{"missed update running>failed over"}},
		"the reference writes what it saw just before it was over": {[]scene{at(0, row("running", "running")), at(1, row("running", "failed")),
			at(4, row("running", "running")), at(4.5, row("failed", "running")), at(30, row("running", "running"))}, 200,
			[]string{"agreed update running>failed +3.5", "agreed update failed>running +25.5"}},
		"it changes again before the reference looks": {[]scene{at(0, row("running", "running")), at(1, row("running", "degraded")), at(2, row("running", "failed")),
			at(20, row("failed", "failed"))}, 200, []string{"missed update running>degraded superseded", "agreed update running>failed +18"}},
		"a command of DECNET's writes what we would have, before us": {[]scene{at(0, row("failed", "failed")), at(5, row("running", "running"))}, 200,
			[]string{"agreed update failed>running"}},
		"smtp_relay is degraded for the reference": {[]scene{at(0, row("running", "running")),
			at(9, row("degraded", "running").with(func(s *sight) { s.services = []string{"ssh", "smtp_relay"} }))}, 300,
			[]string{"differs update running>degraded D5"}},
		"and is from the beginning": {[]scene{at(0, row("", "running").with(func(s *sight) { s.services = []string{"smtp_relay"} })),
			at(9, row("degraded", "running").with(func(s *sight) { s.services = []string{"smtp_relay"} }))}, 300,
			[]string{"differs insert >degraded D5"}},
		"and was before we came": {[]scene{at(0, row("degraded", "running").with(func(s *sight) { s.services = []string{"smtp_relay"} }))}, 300,
			[]string{"missed update degraded>running D5"}},
		"sniffer never runs for the reference": {[]scene{at(0, row("running", "")),
			at(9, row("torn_down", "").with(func(s *sight) { s.services = []string{"sniffer"} }))}, 300,
			[]string{"differs update running>torn_down D4"}},
		"a container of a topology's is taken for ours": {[]scene{at(0, row("torn_down", "torn_down")), at(9, row("running", "torn_down"))}, 300,
			[]string{"differs update torn_down>running state"}},
		"a row deleted that the guard holds": {[]scene{at(0, undeclared("running").with(held("delete"))), at(9, sight{known: true, declared: "absent"})}, 300,
			[]string{"differs delete running> D14"}},
		"a state written in a deploy": {[]scene{at(0, row("running", "torn_down").with(held("state_changed"))), at(9, row("torn_down", "torn_down"))}, 300,
			[]string{"differs update running>torn_down D10"}},
		"a declared row taken away": {[]scene{at(0, row("running", "running")), at(9, row("", "").with(func(s *sight) { s.declared = "present" }))}, 300,
			[]string{"differs delete running> D10"}},
		"a row that comes back in a teardown": {[]scene{at(0, sight{known: true, declared: "absent"}), at(9, undeclared("running"))}, 300,
			[]string{"differs insert >running D12"}},
		"a row of an entry that we reject": {[]scene{at(0, sight{known: true, declared: "unknown"}), at(9, sight{known: true, row: "running", declared: "unknown"})}, 300,
			[]string{"differs insert >running D17"}},
		"a state written while Docker is unknown": {[]scene{at(0, row("failed", "").with(func(s *sight) { s.observed = "unknown" })),
			at(9, row("running", "").with(func(s *sight) { s.observed = "unknown" }))}, 300, []string{"differs update failed>running unobserved"}},
		"configuration is never corrected": {[]scene{at(0, row("running", "running").with(func(s *sight) {
			s.plan = &messages.PlanItem{Name: "d", Action: "update", From: "running", To: "running"}
		}))}, 300, []string{"missed configure running>running D3"}},
		"a dotted name is never inserted": {[]scene{at(0, row("", "running").with(func(s *sight) { s.plan.Name = "a.b" }))}, 300,
			[]string{"missed insert >running D6"}},
		"a database that is away changes nothing": {[]scene{at(0, row("running", "running")), at(1, sight{declared: "present"}), at(60, row("running", "running"))}, 300, nil},
		"what it did meanwhile is seen afterwards": {[]scene{at(0, row("running", "running")), at(1, sight{declared: "present", aggregate: "failed"}),
			at(60, row("failed", "failed"))}, 300, []string{"agreed update running>failed"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := play(tt.story, tt.until); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestEveryChangeOfTheTableIsJudgedOnceAndEveryIntentEndsOnce holds for any story.
func TestEveryChangeOfTheTableIsJudgedOnceAndEveryIntentEndsOnce(t *testing.T) {
	states := rapid.SampledFrom([]string{"", "running", "failed", "degraded"})
	rapid.Check(t, func(t *rapid.T) {
		var r record
		var l ledger
		now, before, changes := start, "", 0
		r, _ = weigh(r, sight{now: now, known: true}, policy)
		for range rapid.IntRange(1, 30).Draw(t, "reports") {
			now = now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second)
			s := row(states.Draw(t, "row"), states.Draw(t, "aggregate"))
			if s.now = now; s.row != before {
				changes++
			}
			before = s.row
			var found, ended []finding
			r, ended = expire(r, now, policy)
			r, found = weigh(r, s, policy)
			seen := 0
			for _, f := range append(ended, found...) {
				l.enter(f)
				if !f.item.SeenAt.IsZero() {
					seen++
				}
				if f.item.EarlierSeconds < 0 {
					t.Fatalf("earlier by %v", f.item.EarlierSeconds)
				}
			}
			if seen > 1 {
				t.Fatalf("one change of the row, %d verdicts", seen)
			}
		}
		for _, f := range leave(record{seen: r.seen, row: r.row, before: r.before, intent: r.intent}, now, policy) {
			if f.item.Outcome == messages.ShadowAgreed && f.item.Action == "update" {
				t.Fatalf("an update at the end: %+v", f)
			}
		}
		if got := l.agreed + l.differs; got != int64(changes) {
			t.Fatalf("%d changes of the row, %d verdicts", changes, got)
		}
		if l.missed < 0 {
			t.Fatalf("%d missed", l.missed)
		}
		for code, n := range l.codes {
			if n < 0 {
				t.Fatalf("%d of %s", n, code)
			}
		}
	})
}

func TestWhatIsKeptIsBoundedAndWhatIsNotIsCounted(t *testing.T) {
	var l ledger
	for range kept + 7 {
		l.enter(finding{item: messages.ShadowItem{Outcome: messages.ShadowDiffers, Code: "D14"}})
	}
	r := l.report(start, nil, policy)
	if len(r.Items) != kept || r.Dropped != 7 || r.Differs != kept+7 || r.Codes["D14"] != kept+7 {
		t.Errorf("%d items, %d dropped, %d differ", len(r.Items), r.Dropped, r.Differs)
	}
}
