package history

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// told makes the Evidence of two deckies without a fault: each inserted, failed and running again.
func told() Evidence {
	e := Evidence{Host: "local", Revs: map[string]int64{}, LastIDs: map[string]string{}, Rows: map[string]string{}, Truth: map[string]string{},
		Others: map[string]string{"w7/decky-01": "running"}, OthersNow: map[string]string{"w7/decky-01": "running"}}
	states := []string{"running", "failed", "running"}
	for i, state := range states {
		for d := 1; d <= 2; d++ {
			name := fmt.Sprintf("decky-%02d", d)
			t := Committed{EventID: fmt.Sprintf("%02d%030d", d, i+1), Name: name, Topic: "decky.local:" + name + ".state", Rev: int64(i + 1)}
			kind, previous := "inserted", ""
			if i > 0 {
				kind, previous = "state_changed", fmt.Sprintf(`"previous_state":%q,`, states[i-1])
			}
			t.Payload = fmt.Sprintf(`{"host_uuid":"local","name":%q,"state":%q,"transition":%q,"source":"fleet",%s"rev":%d,"event_id":%q}`,
				name, state, kind, previous, t.Rev, t.EventID)
			e.Ledger = append(e.Ledger, t)
			e.Arrived = append(e.Arrived, Arrival{At: int64(len(e.Arrived)), Topic: t.Topic, Payload: []byte(t.Payload)})
			e.Revs[name], e.LastIDs[name], e.Rows[name], e.Truth[name] = t.Rev, t.EventID, state, state
		}
	}
	return e
}

func TestCheckerTakesATrueStory(t *testing.T) {
	counts, wrong := Check(told())
	if len(wrong) > 0 {
		t.Fatalf("complains: %v", wrong)
	}
	if counts.Committed != 6 || counts.Received != 6 || counts.Distinct != 6 || counts.Lost+counts.Duplicates != 0 {
		t.Errorf("counts %+v", counts)
	}
}

func TestCheckerTakesWhatAtLeastOnceAllows(t *testing.T) {
	for what, change := range map[string]func(*Evidence){
		"an event twice in a row":             func(e *Evidence) { e.Arrived = slices.Insert(e.Arrived, 2, e.Arrived[1]) },
		"an old event again after newer ones": func(e *Evidence) { e.Arrived = append(e.Arrived, e.Arrived[0]) },
		"another order of two deckies":        func(e *Evidence) { e.Arrived[0], e.Arrived[1] = e.Arrived[1], e.Arrived[0] },
		"keys in another order": func(e *Evidence) {
			e.Ledger[0].Payload = strings.Replace(e.Ledger[0].Payload, `"host_uuid":"local","name":"decky-01"`, `"name":"decky-01","host_uuid":"local"`, 1)
		},
	} {
		e := told()
		change(&e)
		if _, wrong := Check(e); len(wrong) > 0 {
			t.Errorf("%s: complains %v", what, wrong)
		}
	}
}

// replace changes the payload of one arrival.
func replace(i int, from, to string) func(*Evidence) {
	return func(e *Evidence) {
		e.Arrived[i].Payload = []byte(strings.Replace(string(e.Arrived[i].Payload), from, to, 1))
	}
}

func TestCheckerRefuses(t *testing.T) {
	for what, change := range map[string]func(*Evidence){
		"a lost event":       func(e *Evidence) { e.Arrived = slices.Delete(e.Arrived, 2, 3) },
		"a lost last event":  func(e *Evidence) { e.Arrived = e.Arrived[:5] },
		"all events lost":    func(e *Evidence) { e.Arrived = nil },
		"two swapped events": func(e *Evidence) { e.Arrived[2], e.Arrived[4] = e.Arrived[4], e.Arrived[2] },
		"a forged state":     replace(2, `"state":"failed"`, `"state":"degraded"`),
		"a forged id":        replace(2, "01000", "99000"),
		"a forged revision":  replace(4, `"rev":3`, `"rev":4`),
		"another decky's id": replace(2, `"event_id":"01`, `"event_id":"02`),
		"a repetition that differs": func(e *Evidence) {
			e.Arrived = append(e.Arrived, e.Arrived[0])
			replace(6, `"state":"running"`, `"state":"failed"`)(e)
		},
		"a repetition spelled otherwise": func(e *Evidence) {
			e.Arrived = append(e.Arrived, e.Arrived[0])
			replace(6, `"host_uuid":"local",`, `"host_uuid": "local",`)(e)
		},
		"an event that was never committed": func(e *Evidence) {
			e.Arrived = append(e.Arrived, e.Arrived[5])
			replace(6, `"rev":3,"event_id":"02`, `"rev":4,"event_id":"03`)(e)
		},
		"a decky that nobody declared":   replace(1, "decky-02", "decky-03"),
		"another host's event":           replace(1, `"host_uuid":"local"`, `"host_uuid":"w7"`),
		"another source":                 replace(1, `"source":"fleet"`, `"source":"api"`),
		"an event on another topic":      func(e *Evidence) { e.Arrived[0].Topic = e.Arrived[1].Topic },
		"no JSON":                        func(e *Evidence) { e.Arrived[0].Payload = []byte("{") },
		"an unexplained previous state":  forgedBefore,
		"a row that shows another state": func(e *Evidence) { e.Rows["decky-01"] = "failed" },
		"a row that is missing":          func(e *Evidence) { delete(e.Rows, "decky-01") },
		"a row too many":                 func(e *Evidence) { e.Rows["decky-03"] = "running" },
		"containers that say otherwise":  func(e *Evidence) { e.Truth["decky-02"] = "degraded" },
		"a gap in the commits": func(e *Evidence) {
			e.Ledger = slices.Delete(e.Ledger, 2, 3)
			e.Arrived = slices.Delete(e.Arrived, 2, 3)
		},
		"a count that is not the ledger's": func(e *Evidence) { e.Revs["decky-01"]++ },
		"a last id that is not":            func(e *Evidence) { e.LastIDs["decky-01"] = "x" },
		"a row of another host touched":    func(e *Evidence) { e.OthersNow["w7/decky-01"] = "failed" },
		"a row of another host removed":    func(e *Evidence) { delete(e.OthersNow, "w7/decky-01") },
		"a row put to another host":        func(e *Evidence) { e.OthersNow["w7/decky-09"] = "running" },
		"a decky that should be gone":      func(e *Evidence) { e.Truth["decky-02"] = "" },
		"an id committed twice":            func(e *Evidence) { e.Ledger[4].EventID = e.Ledger[2].EventID },
	} {
		e := told()
		change(&e)
		if _, wrong := Check(e); len(wrong) == 0 {
			t.Errorf("%s: taken", what)
		}
	}
}

// forgedBefore breaks the chain of states in table and event alike.
func forgedBefore(e *Evidence) {
	replace(2, `"previous_state":"running"`, `"previous_state":"degraded"`)(e)
	e.Ledger[2].Payload = string(e.Arrived[2].Payload)
}
