package database

import (
	"reflect"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// TestNamesThatTheColumnTakesForOneAreTwins: MySQL compares names without case, accents and trailing blanks, the others
// byte by byte.
func TestNamesThatTheColumnTakesForOneAreTwins(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		for _, name := range []string{"d1", "D1 ", "Ď1"} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, s)
				w.one(w.insert("D1", messages.Running))
				before, _ := w.stored()
				r := w.one(w.insert(name, messages.Failed))
				if !s.d.folds {
					if r.Outcome != messages.Committed || w.count("SELECT COUNT(*) FROM fleet_deckies") != 2 {
						t.Errorf("%+v", r)
					}
					return
				}
				if r.Outcome != messages.Twinned || r.Twin != "local" || r.Presence != messages.Absent {
					t.Errorf("insert: %+v", r)
				}
				if r := w.one(w.update(name, "running", messages.Failed)); r.Outcome != messages.Refused || r.Presence != messages.Absent {
					t.Errorf("update: %+v", r)
				}
				if r := w.one(w.remove(name, "running")); r.Outcome != messages.Refused || r.Presence != messages.Absent {
					t.Errorf("delete: %+v", r)
				}
				if after, _ := w.stored(); !reflect.DeepEqual(before, after) {
					t.Errorf("another decky's row was touched: %v", after)
				}
			})
		}
	})
}

func TestTwinsInOneBatchDoNotTakeTheOthersDown(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		replies, out := w.apply(w.insert("a", messages.Running), w.insert("D1", messages.Running), w.insert("d1", messages.Running),
			w.insert("z", messages.Running))
		want, rows := messages.Committed, 4
		if s.d.folds {
			want, rows = messages.Twinned, 3
		}
		if replies[2].Outcome != want || replies[0].Outcome != messages.Committed || replies[1].Outcome != messages.Committed ||
			replies[3].Outcome != messages.Committed || len(out) != rows || w.count("SELECT COUNT(*) FROM fleet_deckies") != rows {
			t.Errorf("%+v %+v", replies, out)
		}
		// A rename that the column does not see: the old one goes, then there is room for the new one.
		w.apply(w.insert("d1", messages.Running), w.remove("D1", "running"))
		if r := w.one(w.insert("d1", messages.Running)); r.Presence != messages.Present {
			t.Errorf("%+v", r)
		}
	})
}

// TestAHostOfAnotherCaseIsAnotherHost: the column takes Local for local; its rows are still not ours.
func TestAHostOfAnotherCaseIsAnotherHost(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("LOCAL", "theirs", "running")
		if read, _, err := w.db.readAll(t.Context()); err != nil || len(read.Rows) != 0 {
			t.Errorf("%+v (%v)", read.Rows, err)
		}
		for _, c := range []messages.RowChange{w.update("theirs", "running", messages.Failed), w.remove("theirs", "running")} {
			if r := w.one(c); r.Outcome != messages.Refused || r.Presence != messages.Absent {
				t.Errorf("%+v", r)
			}
		}
		if r := w.one(w.insert("theirs", messages.Running)); r.Outcome != messages.Twinned || r.Twin != "LOCAL" {
			t.Errorf("%+v", r)
		}
		// Together with a row of ours: one statement deletes both names.
		w.one(w.insert("ours", messages.Running))
		w.apply(w.remove("ours", "running"), w.remove("theirs", "running"))
		if values, _ := w.stored(); len(values) != 1 || values[0]["host_uuid"] != "LOCAL" || values[0]["state"] != "running" {
			t.Errorf("%v", values)
		}
	})
}

func TestEverySignThatANameMayHaveIsStored(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		for _, name := range []string{"größe", "デコイ", "👻", "e\u0301", "a\\'b\"`", "%_?$1", "\u200b\ufeff", "٠", "İı"} {
			c := w.insert(name, messages.Running)
			r := w.one(c)
			if r.Outcome != messages.Committed || r.Row.Name != name || r.Row.Digest != "digest of "+c.ConfigJSON {
				t.Errorf("%q: %+v", name, r)
			}
		}
		read, _, err := w.openDB().readAll(t.Context())
		if err != nil || len(read.Rows) != 9 || len(read.Faults) != 0 {
			t.Errorf("%+v (%v)", read, err)
		}
	})
}
