package history

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var states = []string{"running", "failed", "degraded", "torn_down"}

// anyTrue draws a history without a fault: deckies with stories of any length, interleaved, some events repeated.
func anyTrue(t *rapid.T) Evidence {
	e := Evidence{Host: "local", Revs: map[string]int64{}, LastIDs: map[string]string{}, Rows: map[string]string{}, Truth: map[string]string{},
		Others: map[string]string{"w7/decky-00": "running"}, OthersNow: map[string]string{"w7/decky-00": "running"}}
	deckies := rapid.IntRange(1, 4).Draw(t, "deckies")
	for range rapid.IntRange(2, 20).Draw(t, "commits") {
		e.commit(t, fmt.Sprintf("decky-%02d", rapid.IntRange(0, deckies-1).Draw(t, "decky")))
	}
	// What arrived may come in any order across deckies: here, decky by decky or as committed.
	all := slices.Clone(e.Arrived)
	if rapid.Bool().Draw(t, "by decky") {
		slices.SortStableFunc(all, func(a, b Arrival) int { return slices.Compare([]byte(a.Topic), []byte(b.Topic)) })
	}
	e.Arrived = nil
	for i, a := range all {
		e.Arrived = append(e.Arrived, a)
		if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
			e.Arrived = append(e.Arrived, all[rapid.IntRange(0, i).Draw(t, "which")])
		}
	}
	return e
}

func (e *Evidence) commit(t *rapid.T, name string) {
	rev, before := e.Revs[name]+1, e.Rows[name]
	p := Payload{HostUUID: "local", Name: name, Transition: "inserted", Source: "fleet", Rev: rev, EventID: fmt.Sprintf("%s-%028d", name[6:], rev),
		State: rapid.SampledFrom(states).Filter(func(s string) bool { return s != before }).Draw(t, "state")}
	if rev > 1 {
		p.Transition, p.PreviousState = "state_changed", before
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	topic := "decky.local:" + name + ".state"
	e.Ledger = append(e.Ledger, Committed{EventID: p.EventID, Name: name, Topic: topic, Payload: string(text), Rev: rev})
	e.Arrived = append(e.Arrived, Arrival{At: int64(len(e.Arrived)), Topic: topic, Payload: text})
	e.Revs[name], e.LastIDs[name], e.Rows[name], e.Truth[name] = rev, p.EventID, p.State, p.State
}

// rewrite gives an arrival with a changed payload.
func rewrite(t *rapid.T, a Arrival, change func(*Payload)) Arrival {
	var p Payload
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		t.Fatal(err)
	}
	change(&p)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	a.Payload = text
	return a
}

// crimes are the ways to falsify a history; each says false where this one offers no occasion.
var crimes = map[string]func(*rapid.T, *Evidence) bool{
	"loss": func(t *rapid.T, e *Evidence) bool {
		victim := rapid.SampledFrom(e.Ledger).Draw(t, "victim")
		e.Arrived = slices.DeleteFunc(e.Arrived, func(a Arrival) bool { return string(a.Payload) == victim.Payload })
		return true
	},
	"swap": func(t *rapid.T, e *Evidence) bool {
		for i, a := range e.Arrived {
			var p Payload
			_ = json.Unmarshal(a.Payload, &p) // ours
			first := !slices.ContainsFunc(e.Arrived[:i], func(b Arrival) bool { return string(b.Payload) == string(a.Payload) })
			if !first || p.Rev != 2 {
				continue
			}
			before := slices.IndexFunc(e.Arrived, func(b Arrival) bool { return b.Topic == a.Topic })
			e.Arrived[i], e.Arrived[before] = e.Arrived[before], a
			return true
		}
		return false
	},
	"forgery": func(t *rapid.T, e *Evidence) bool {
		i := rapid.IntRange(0, len(e.Arrived)-1).Draw(t, "at")
		forged := rewrite(t, e.Arrived[i], func(p *Payload) { p.Rev += 100; p.EventID = "ff" + p.EventID[2:] })
		e.Arrived = slices.Insert(e.Arrived, rapid.IntRange(0, len(e.Arrived)).Draw(t, "to"), forged)
		return true
	},
	"foreign entry": func(t *rapid.T, e *Evidence) bool {
		a := rewrite(t, rapid.SampledFrom(e.Arrived).Draw(t, "model"), func(p *Payload) { p.HostUUID = "w7" })
		e.Arrived = append(e.Arrived, a)
		return true
	},
	"gap": func(t *rapid.T, e *Evidence) bool {
		victim := rapid.SampledFrom(e.Ledger).Draw(t, "victim")
		if victim.Rev == e.Revs[victim.Name] {
			return false // the last of its decky: that is the next crime
		}
		e.Ledger = slices.DeleteFunc(e.Ledger, func(c Committed) bool { return c.EventID == victim.EventID })
		e.Arrived = slices.DeleteFunc(e.Arrived, func(a Arrival) bool { return string(a.Payload) == victim.Payload })
		return true
	},
	"a commit nobody recorded": func(t *rapid.T, e *Evidence) bool {
		e.Ledger = e.Ledger[:len(e.Ledger)-1]
		return true
	},
	"duplicate with other content": func(t *rapid.T, e *Evidence) bool {
		a := rewrite(t, rapid.SampledFrom(e.Arrived).Draw(t, "model"), func(p *Payload) { p.State += "!" })
		e.Arrived = append(e.Arrived, a)
		return true
	},
	"wrong row": func(t *rapid.T, e *Evidence) bool {
		e.Rows[rapid.SampledFrom(e.Ledger).Draw(t, "victim").Name] = "pending"
		return true
	},
	"foreign row": func(_ *rapid.T, e *Evidence) bool {
		e.OthersNow["w7/decky-00"] = "failed"
		return true
	},
}

func TestJudgeTakesEveryTrueHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if _, wrong := Check(anyTrue(t)); len(wrong) > 0 {
			t.Fatalf("complains: %v", wrong)
		}
	})
}

func TestJudgeRefusesEveryFalsifiedHistory(t *testing.T) {
	for name, crime := range crimes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				e := anyTrue(t)
				if !crime(t, &e) {
					t.Skip("no occasion")
				}
				if _, wrong := Check(e); len(wrong) == 0 {
					t.Fatal("taken")
				}
			})
		})
	}
}
