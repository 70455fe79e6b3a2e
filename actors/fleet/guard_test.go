package fleet

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var standard = GuardPolicy{Floor: 3, Share: 0.25, Window: time.Minute, Reads: 3, Over: time.Minute}

func TestGuard(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	four := []string{"a", "b", "c", "d"}
	for _, tc := range []struct {
		name    string
		wave    wave
		granted bool
	}{
		{"three of ten without witness", wave{wanted: four[:3], rows: 10}, true},
		{"four of ten without Docker", wave{wanted: four, rows: 10}, false},
		{"four of sixteen are a quarter", wave{wanted: four, rows: 16}, true},
		{"one more after three within the minute", wave{wanted: four[:1], done: 3, rows: 10}, false},
		{"four of ten, Docker sees none of their containers", wave{wanted: four, rows: 10, docker: true}, true},
		{"four of ten, one still has a container", wave{wanted: four, rows: 10, docker: true, serviced: four[:1]}, false},
		{"one, but the file is missing and Docker down", wave{wanted: four[:1], rows: 10, missing: true}, false},
		{"one, the file is missing, Docker sees nothing of it", wave{wanted: four[:1], rows: 10, missing: true, docker: true}, true},
		{"one, the file is missing, its container is there", wave{wanted: four[:1], rows: 10, missing: true, docker: true, serviced: four[:1]}, false},
		{"approved after three readings over a minute", wave{wanted: four, rows: 4, approved: true, reads: 3, since: now.Add(-time.Minute), now: now}, true},
		{"approved too early", wave{wanted: four, rows: 4, approved: true, reads: 3, since: now.Add(-time.Second), now: now}, false},
		{"not approved, however long it lasts", wave{wanted: four, rows: 4, reads: 9, since: now.Add(-time.Hour), now: now}, false},
		{"released before: the rest of the set needs no readings", wave{wanted: four, rows: 9, approved: true, released: true, reads: 1, since: now, now: now}, true},
		{"released before, but a name is new", wave{wanted: four, rows: 9, released: true, reads: 9, since: now.Add(-time.Hour), now: now}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := guard(tc.wave, standard); got.granted != tc.granted {
				t.Errorf("%+v, want granted %v", got, tc.granted)
			}
		})
	}
}

func TestGuardNeverLetsAFleetGoUnwitnessed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,6}`), 4, 40, rapid.ID[string]).Draw(t, "wanted")
		w := wave{wanted: names, rows: len(names), missing: rapid.Bool().Draw(t, "missing"), docker: rapid.Bool().Draw(t, "docker")}
		if rapid.Bool().Draw(t, "there") {
			w.serviced = names[:1]
		}
		if r := guard(w, standard); r.granted && (!w.docker || len(w.serviced) > 0) {
			t.Fatalf("granted without witness: %+v", w)
		}
	})
}

func TestSetHashIsOfTheSet(t *testing.T) {
	if setHash([]string{"a", "b"}) != setHash([]string{"b", "a"}) || setHash([]string{"ab"}) == setHash([]string{"a", "b"}) {
		t.Error("the hash must depend on the members alone")
	}
}

func TestRedeployIsAQuarterAndAtLeastFour(t *testing.T) {
	for _, tc := range []struct {
		lost, deckies int
		want          bool
	}{{3, 4, false}, {4, 4, true}, {4, 16, false}, {5, 16, true}, {0, 0, false}} {
		if got := redeploying(tc.lost, tc.deckies); got != tc.want {
			t.Errorf("%d of %d: %v", tc.lost, tc.deckies, got)
		}
	}
}
