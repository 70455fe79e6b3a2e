package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// told makes the evidence of two deckies without a fault: each inserted, failed and running again.
func told() evidence {
	e := evidence{Host: "local", Revs: map[string]int64{}, LastIDs: map[string]string{}, Rows: map[string]string{}, Truth: map[string]string{}}
	states := []string{"running", "failed", "running"}
	for i, state := range states {
		for d := 1; d <= 2; d++ {
			name := fmt.Sprintf("decky-%02d", d)
			t := committed{EventID: fmt.Sprintf("%02d%030d", d, i+1), Name: name, Topic: "decky.local:" + name + ".state", Rev: int64(i + 1)}
			kind, previous := "inserted", ""
			if i > 0 {
				kind, previous = "state_changed", fmt.Sprintf(`"previous_state":%q,`, states[i-1])
			}
			t.Payload = fmt.Sprintf(`{"host_uuid":"local","name":%q,"state":%q,"transition":%q,"source":"fleet",%s"rev":%d,"event_id":%q}`,
				name, state, kind, previous, t.Rev, t.EventID)
			e.Ledger = append(e.Ledger, t)
			e.Arrived = append(e.Arrived, arrival{At: int64(len(e.Arrived)), Topic: t.Topic, Payload: []byte(t.Payload)})
			e.Revs[name], e.LastIDs[name], e.Rows[name], e.Truth[name] = t.Rev, t.EventID, state, state
		}
	}
	return e
}

func TestCheckerTakesATrueStory(t *testing.T) {
	counts, wrong := check(told())
	if len(wrong) > 0 {
		t.Fatalf("complains: %v", wrong)
	}
	if counts.Committed != 6 || counts.Received != 6 || counts.Distinct != 6 || counts.Lost+counts.Duplicates != 0 {
		t.Errorf("counts %+v", counts)
	}
}

func TestCheckerTakesWhatAtLeastOnceAllows(t *testing.T) {
	for what, change := range map[string]func(*evidence){
		"an event twice in a row":             func(e *evidence) { e.Arrived = slices.Insert(e.Arrived, 2, e.Arrived[1]) },
		"an old event again after newer ones": func(e *evidence) { e.Arrived = append(e.Arrived, e.Arrived[0]) },
		"another order of two deckies":        func(e *evidence) { e.Arrived[0], e.Arrived[1] = e.Arrived[1], e.Arrived[0] },
		"keys in another order": func(e *evidence) {
			e.Ledger[0].Payload = strings.Replace(e.Ledger[0].Payload, `"host_uuid":"local","name":"decky-01"`, `"name":"decky-01","host_uuid":"local"`, 1)
		},
	} {
		e := told()
		change(&e)
		if _, wrong := check(e); len(wrong) > 0 {
			t.Errorf("%s: complains %v", what, wrong)
		}
	}
}

// replace changes the payload of one arrival.
func replace(i int, from, to string) func(*evidence) {
	return func(e *evidence) {
		e.Arrived[i].Payload = []byte(strings.Replace(string(e.Arrived[i].Payload), from, to, 1))
	}
}

func TestCheckerRefuses(t *testing.T) {
	for what, change := range map[string]func(*evidence){
		"a lost event":       func(e *evidence) { e.Arrived = slices.Delete(e.Arrived, 2, 3) },
		"a lost last event":  func(e *evidence) { e.Arrived = e.Arrived[:5] },
		"all events lost":    func(e *evidence) { e.Arrived = nil },
		"two swapped events": func(e *evidence) { e.Arrived[2], e.Arrived[4] = e.Arrived[4], e.Arrived[2] },
		"a forged state":     replace(2, `"state":"failed"`, `"state":"degraded"`),
		"a forged id":        replace(2, "01000", "99000"),
		"a forged revision":  replace(4, `"rev":3`, `"rev":4`),
		"another decky's id": replace(2, `"event_id":"01`, `"event_id":"02`),
		"a repetition that differs": func(e *evidence) {
			e.Arrived = append(e.Arrived, e.Arrived[0])
			replace(6, `"state":"running"`, `"state":"failed"`)(e)
		},
		"a repetition spelled otherwise": func(e *evidence) {
			e.Arrived = append(e.Arrived, e.Arrived[0])
			replace(6, `"host_uuid":"local",`, `"host_uuid": "local",`)(e)
		},
		"an event that was never committed": func(e *evidence) {
			e.Arrived = append(e.Arrived, e.Arrived[5])
			replace(6, `"rev":3,"event_id":"02`, `"rev":4,"event_id":"03`)(e)
		},
		"a decky that nobody declared":   replace(1, "decky-02", "decky-03"),
		"another host's event":           replace(1, `"host_uuid":"local"`, `"host_uuid":"w7"`),
		"another source":                 replace(1, `"source":"fleet"`, `"source":"api"`),
		"an event on another topic":      func(e *evidence) { e.Arrived[0].Topic = e.Arrived[1].Topic },
		"no JSON":                        func(e *evidence) { e.Arrived[0].Payload = []byte("{") },
		"an unexplained previous state":  forgedBefore,
		"a row that shows another state": func(e *evidence) { e.Rows["decky-01"] = "failed" },
		"a row that is missing":          func(e *evidence) { delete(e.Rows, "decky-01") },
		"a row too many":                 func(e *evidence) { e.Rows["decky-03"] = "running" },
		"containers that say otherwise":  func(e *evidence) { e.Truth["decky-02"] = "degraded" },
		"a gap in the commits": func(e *evidence) {
			e.Ledger = slices.Delete(e.Ledger, 2, 3)
			e.Arrived = slices.Delete(e.Arrived, 2, 3)
		},
		"a count that is not the ledger's": func(e *evidence) { e.Revs["decky-01"]++ },
		"a last id that is not":            func(e *evidence) { e.LastIDs["decky-01"] = "x" },
		"an id committed twice":            func(e *evidence) { e.Ledger[4].EventID = e.Ledger[2].EventID },
	} {
		e := told()
		change(&e)
		if _, wrong := check(e); len(wrong) == 0 {
			t.Errorf("%s: taken", what)
		}
	}
}

// forgedBefore breaks the chain of states in table and event alike.
func forgedBefore(e *evidence) {
	replace(2, `"previous_state":"running"`, `"previous_state":"degraded"`)(e)
	e.Ledger[2].Payload = string(e.Arrived[2].Payload)
}

func TestAggregateIsDecnetsRule(t *testing.T) {
	for _, row := range []struct {
		states []string
		want   string
	}{
		{[]string{"", ""}, "torn_down"},
		{[]string{"running", "running"}, "running"},
		{[]string{"running", ""}, "degraded"},
		{[]string{"running", "paused"}, "degraded"},
		{[]string{"exited", ""}, "failed"},
		{[]string{"paused", "restarting"}, "failed"},
	} {
		seen := map[string]string{}
		for i, service := range services {
			if row.states[i] != "" {
				seen[service] = row.states[i]
			}
		}
		if got := aggregate(seen); got != row.want {
			t.Errorf("%v: %s, want %s", row.states, got, row.want)
		}
	}
}
