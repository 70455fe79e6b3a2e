package database

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// recordedRows are rows that DECNET itself wrote, with the types SQLite stored them as.
type recordedRows struct {
	AfterInsert      []map[string]*string `json:"after_insert"`
	Typeof           []map[string]string  `json:"typeof"`
	AfterStateChange []map[string]*string `json:"after_state_change"`
	TypeofAfter      []map[string]string  `json:"typeof_after"`
	AfterLastError   map[string]*string   `json:"after_last_error"`
}

const columns = "host_uuid, name, services, decky_config, decky_ip, state, last_error, compose_hash, last_seen, updated_at"

// storedAs selects every column with type and bytes, without the driver's reading of DATETIME.
func (w *world) stored() (values, types []map[string]string) {
	var v, k []string
	for c := range strings.SplitSeq(columns, ", ") {
		text := "CAST(" + c + " AS " + w.at.d.text + ")"
		if c == "last_seen" || c == "updated_at" {
			text = w.at.when(c)
		}
		v = append(v, text+" AS "+c)
		k = append(k, "typeof("+c+") AS "+c)
	}
	values = w.dump("SELECT " + strings.Join(v, ", ") + " FROM fleet_deckies ORDER BY name")
	if w.path != w.url { // only SQLite has types in rows
		types = w.dump("SELECT " + strings.Join(k, ", ") + " FROM fleet_deckies ORDER BY name")
	}
	return values, types
}

func (w *world) sameRows(what string, want []map[string]*string, types []map[string]string) {
	w.t.Helper()
	have, kinds := w.stored()
	if len(have) != len(want) {
		w.t.Fatalf("%s: %d rows, want %d", what, len(have), len(want))
	}
	for i := range want {
		for column, p := range want[i] {
			text := "<null>"
			if p != nil {
				if text = *p; column == "last_seen" || column == "updated_at" {
					text = w.at.kept(text)
				}
			}
			if have[i][column] != text {
				w.t.Errorf("%s: row %d: %s\n have %s\n want %s", what, i, column, have[i][column], text)
			}
		}
		if types != nil && kinds != nil && !maps.Equal(kinds[i], types[i]) {
			w.t.Errorf("%s: row %d: types %v, want %v", what, i, kinds[i], types[i])
		}
	}
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	when, err := time.Parse(readLayout, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestRowsAreByteForByteWhatDecnetWrites(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		want := golden[recordedRows](t, "db_rows_sqlite.json")
		for _, row := range want.AfterInsert {
			w.now = at(t, *row["updated_at"])
			w.one(messages.RowChange{Name: *row["name"], Kind: messages.InsertRow, State: messages.State(*row["state"]), SetContent: true,
				ServicesJSON: *row["services"], ConfigJSON: *row["decky_config"], IP: *row["decky_ip"], EventID: w.id()})
		}
		w.sameRows("insert", want.AfterInsert, want.Typeof)

		w.now = at(t, *want.AfterStateChange[1]["updated_at"])
		w.one(w.update("decky-02", "failed", messages.Running))
		w.sameRows("state change", want.AfterStateChange, want.TypeofAfter)

		w.now = at(t, *want.AfterLastError["updated_at"])
		c := w.update("decky-02", "running", messages.Failed)
		c.SetLastError, c.LastError = true, *want.AfterLastError["last_error"]
		w.one(c)
		w.sameRows("last_error", []map[string]*string{want.AfterStateChange[0], want.AfterLastError}, nil)
	})
}

func TestTimestampsKeepSixDigitsWhenTheyAreZero(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
		w.one(w.insert("d1", messages.Running))
		values, _ := w.stored()
		if got := values[0]["updated_at"]; got != s.kept("2026-01-02 02:04:05.000000") {
			t.Errorf("updated_at %q", got)
		}
	})
}

func TestFleetTableIsDecnetsOwnText(t *testing.T) {
	w := &world{t: t, path: t.TempDir() + "/own.db", now: start}
	w.db = w.openDB(func(c *Config) { c.Own = true })
	for range 2 { // again changes nothing
		if err := w.db.Init(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	w.other = openRaw(t, w.path)
	var have []string
	for _, r := range w.dump("SELECT sql FROM sqlite_master WHERE tbl_name = 'fleet_deckies' AND sql IS NOT NULL ORDER BY rowid") {
		have = append(have, r["sql"])
	}
	want := golden[schema](t, "db_schema.json")
	if !slices.Equal(have, want.SQLite["fleet_deckies"]) {
		t.Errorf("have %q\nwant %q", have, want.SQLite["fleet_deckies"])
	}
	if !slices.Equal(mysqlFleet, want.MySQL["fleet_deckies"]) {
		t.Errorf("have %q\nwant %q", mysqlFleet, want.MySQL["fleet_deckies"])
	}
	if err := w.db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
