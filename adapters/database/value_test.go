package database

import (
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// refuseBad makes DECNET's table refuse the name "bad", as a column's encoding would.
var refuseBad = map[string]string{
	"postgres": `ALTER TABLE fleet_deckies ADD CONSTRAINT refuse_bad CHECK (name <> 'bad')`,
	"mysql":    `ALTER TABLE fleet_deckies ADD CONSTRAINT refuse_bad CHECK (name <> 'bad')`,
}

func TestAChangeThatTheDatabaseRefusesKeepsNoOtherFromBeingWritten(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		statement, known := refuseBad[s.d.name]
		if !known { // SQLite's columns take any text; a table made anew with a constraint stands for one that does not
			w.checkedTable()
			statement = "SELECT 1"
		}
		mustExec(t, w.other, statement)
		replies, out := w.apply(w.insert("a", messages.Running), w.insert("bad", messages.Running), w.insert("c", messages.Running))
		for i, want := range []messages.Outcome{messages.Committed, messages.Unwritable, messages.Committed} {
			if replies[i].Outcome != want {
				t.Errorf("change %d: %s, want %s", i, replies[i].Outcome, want)
			}
		}
		if replies[1].Why == "" || len(out) != 2 {
			t.Errorf("why %q, %d transitions", replies[1].Why, len(out))
		}
		if n := w.count("SELECT COUNT(*) FROM fleet_deckies"); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

// checkedTable makes fleet_deckies anew with a constraint, which SQLite cannot add.
func (w *world) checkedTable() {
	w.t.Helper()
	for _, q := range golden[schema](w.t, "db_schema.json").SQLite["fleet_deckies"] {
		if strings.HasPrefix(q, "CREATE TABLE") {
			mustExec(w.t, w.other, "DROP TABLE fleet_deckies")
			q = strings.Replace(q, "name VARCHAR NOT NULL", "name VARCHAR NOT NULL CHECK (name <> 'bad')", 1)
		}
		mustExec(w.t, w.other, q)
	}
}
