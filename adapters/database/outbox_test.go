package database

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func ids(rows []messages.OutboxRow) []int64 {
	var all []int64
	for _, r := range rows {
		all = append(all, r.ID)
	}
	return all
}

func TestPendingIsInTheOrderOfCommits(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		var want []messages.OutboxRow
		for _, batch := range [][]messages.RowChange{{w.insert("b", messages.Running), w.insert("a", messages.Running)},
			{w.update("a", "running", messages.Failed)}, {w.remove("b", "running")}} {
			_, out := w.apply(batch...)
			want = append(want, out...)
		}
		have, err := w.db.Pending(t.Context(), 0, 10)
		if err != nil || !reflect.DeepEqual(have, want) || len(have) != 4 {
			t.Errorf("have %+v\nwant %+v (%v)", have, want, err)
		}
		if page, err := w.db.Pending(t.Context(), want[0].ID, 2); err != nil || !reflect.DeepEqual(page, want[1:3]) {
			t.Errorf("page %+v (%v)", page, err)
		}
		for _, done := range [][]int64{{want[1].ID, want[0].ID}, {4711}} {
			if err := w.db.Acknowledge(t.Context(), done); err != nil {
				t.Fatal(err)
			}
			if left, err := w.db.Pending(t.Context(), 0, 10); err != nil || !reflect.DeepEqual(left, want[2:]) {
				t.Errorf("acknowledged %v, left are %+v (%v)", done, left, err)
			}
		}
		if n, err := w.db.Depth(t.Context()); err != nil || n != 2 {
			t.Errorf("depth %d (%v)", n, err)
		}
		// Ids are never given twice, or a publisher that asks for what came after would miss some.
		if err := w.db.Acknowledge(t.Context(), ids(want)); err != nil {
			t.Fatal(err)
		}
		if _, out := w.apply(w.insert("c", messages.Running)); out[0].ID <= want[3].ID {
			t.Errorf("id %d after %d", out[0].ID, want[3].ID)
		}
	})
}

func TestParkedTransitionsAreKeptAside(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		_, out := w.apply(w.insert("a", messages.Running), w.insert("b", messages.Running))
		if err := errors.Join(w.db.Park(t.Context(), out[0].ID, "the bus drops it"), w.db.Park(t.Context(), out[1].ID, "")); err != nil {
			t.Fatal(err)
		}
		pending, err := w.db.Pending(t.Context(), 0, 10)
		depth, err2 := w.db.Depth(t.Context())
		if len(pending) != 0 || depth != 0 || err != nil || err2 != nil {
			t.Errorf("%v %d %v %v", pending, depth, err, err2)
		}
		parked, err := w.db.Parked(t.Context(), 10)
		if err != nil || len(parked) != 2 || parked[0].Why != "the bus drops it" || parked[1].Why == "" || !reflect.DeepEqual(parked[0].Row, out[0]) {
			t.Errorf("%+v (%v)", parked, err)
		}
		if err := w.db.Unpark(t.Context(), out[0].ID); err != nil {
			t.Fatal(err)
		}
		if pending, err = w.db.Pending(t.Context(), 0, 10); err != nil || !reflect.DeepEqual(pending, out[:1]) {
			t.Errorf("%v (%v)", pending, err)
		}
	})
}

func TestTheFullOutboxKeepsTheLatestOfEachDecky(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		for name, bound := range map[string]func(*Config){
			"by rows":  func(c *Config) { c.OutboxRows = 3 },
			"by bytes": func(c *Config) { c.OutboxBytes = 600 },
		} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, s, bound)
				w.apply(w.insert("a", messages.Running), w.insert("b", messages.Running), w.insert("c", messages.Running))
				w.apply(w.update("a", "running", messages.Failed))
				_, out := w.apply(w.update("a", "failed", messages.Degraded))
				rows, err := w.db.Pending(t.Context(), 0, 10)
				if err != nil || len(rows) != 3 || rows[0].Name != "b" || rows[1].Name != "c" || !reflect.DeepEqual(rows[2], out[0]) || rows[2].Rev != 3 {
					t.Fatalf("%+v (%v)", rows, err)
				}
				if !strings.Contains(rows[2].Payload, `"coalesced":2`) || w.db.Coalesced() != 2 {
					t.Errorf("%s, counted %d", rows[2].Payload, w.db.Coalesced())
				}
				if err := w.db.Acknowledge(t.Context(), ids(rows)); err != nil {
					t.Fatal(err)
				}
				w.apply(w.update("a", "degraded", messages.Running))
				w.apply(w.update("a", "running", messages.Failed))
				if n, err := w.db.Depth(t.Context()); err != nil || n != 2 {
					t.Errorf("an emptied outbox still merges: depth %d (%v)", n, err)
				}
			})
		}
	})
}

func TestTheBoundCountsWhatARestartFinds(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.apply(w.insert("a", messages.Running), w.insert("b", messages.Running))
		w.db = w.openDB(func(c *Config) { c.OutboxRows = 2 })
		w.apply(w.update("a", "running", messages.Failed))
		if n, err := w.db.Depth(t.Context()); err != nil || n != 2 {
			t.Errorf("depth %d (%v)", n, err)
		}
	})
}

func TestTheLogHasASize(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.one(w.insert("a", messages.Running))
	if w.db.WALSize() == 0 {
		t.Error("no write-ahead log")
	}
}
