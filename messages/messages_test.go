package messages

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPayloadBeginsWithTheReferencesKeysInItsOrder(t *testing.T) {
	at := Moment{time.Date(2026, 6, 1, 12, 0, 0, 1000, time.FixedZone("x", 7200))}
	for _, tc := range []struct {
		name string
		t    Transition
		want string
	}{
		{"a state change", Transition{HostUUID: "local", Name: "d<1>", State: "failed", Transition: TransitionStateChanged, Source: "fleet",
			PreviousState: "running", Rev: 2, EventID: "e", ObservedAt: at, Cause: "docker:die", Coalesced: 1},
			`{"host_uuid":"local","name":"d<1>","state":"failed","transition":"state_changed","source":"fleet","previous_state":"running",` +
				`"rev":2,"event_id":"e","observed_at":"2026-06-01T10:00:00.000001Z","cause":"docker:die","coalesced":1}`},
		{"an insert has no previous state", Transition{HostUUID: "local", Name: "dé", State: "running", Transition: TransitionInserted, Source: "fleet", Rev: 1},
			`{"host_uuid":"local","name":"dé","state":"running","transition":"inserted","source":"fleet","rev":1,"event_id":"","observed_at":null,"cause":""}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.t.JSON()
			if err != nil || got != tc.want {
				t.Errorf("%v\n%s\nwant\n%s", err, got, tc.want)
			}
			if strings.Contains(got, "topology_id") {
				t.Error("a topology_id would make it a topology's event")
			}
		})
	}
}

func TestMomentReadsWhatItWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Moment{time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, "micros"))}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back Moment
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(m.Time) {
			t.Fatalf("%s: %v %v", b, back, err)
		}
	})
}

func TestTokenIsOneLegalTokenAndTellsNamesApart(t *testing.T) {
	seen := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		token := Token(name)
		for i := range len(token) {
			if c := token[i]; c <= ' ' || c >= utf8.RuneSelf || strings.IndexByte(".*>", c) >= 0 {
				t.Fatalf("%q has %q", token, c)
			}
		}
		if other, taken := seen[token]; taken && other != name {
			t.Fatalf("%q and %q are both %q", name, other, token)
		}
		seen[token] = name
	})
}

func TestOlderStampsNeverReplaceNewerOnes(t *testing.T) {
	for _, tc := range []struct {
		a, b Stamp
		want bool
	}{
		{Stamp{1, 1}, Stamp{1, 2}, true}, {Stamp{1, 2}, Stamp{1, 2}, false}, {Stamp{2, 1}, Stamp{1, 9}, false}, {Stamp{}, Stamp{1, 1}, true},
	} {
		if got := tc.a.Before(tc.b); got != tc.want {
			t.Errorf("%v before %v: %v", tc.a, tc.b, got)
		}
	}
}
