package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestInsertIsAnsweredWithTheRowAsItIs(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		c := w.insert("decky é 👻 'q' \\ ? $1", messages.Degraded)
		replies, out := w.apply(c)
		want := messages.RowReply{Name: c.Name, Seq: 7, Kind: messages.InsertRow, Outcome: messages.Committed,
			Presence: messages.Present, Rev: 1, At: start, Row: messages.Recorded{Name: c.Name, Services: []string{"ssh"}, IP: "10.0.0.1",
				HasConfig: true, Digest: "digest of " + c.ConfigJSON, State: "degraded", LastMutated: 1.5}}
		if !reflect.DeepEqual(replies[0], want) {
			t.Errorf("have %+v\nwant %+v", replies[0], want)
		}
		if len(out) != 1 || out[0].EventID != c.EventID || out[0].Name != c.Name || out[0].Rev != 1 || out[0].ID == 0 {
			t.Fatalf("outbox %+v", out)
		}
		if out[0].Topic != messages.StateTopic("local", c.Name) {
			t.Errorf("topic %q", out[0].Topic)
		}
		var got messages.Transition
		if err := json.Unmarshal([]byte(out[0].Payload), &got); err != nil {
			t.Fatal(err)
		}
		if got.HostUUID != "local" || got.Name != c.Name || got.Source != "fleet" || got.Rev != 1 || got.EventID != c.EventID ||
			got.Transition != "inserted" || got.Cause != "relist" {
			t.Errorf("payload %s", out[0].Payload)
		}
		values, _ := w.stored()
		if values[0]["name"] != c.Name || values[0]["decky_config"] != c.ConfigJSON {
			t.Errorf("stored %v", values[0])
		}
	})
}

func TestReplyAgreesWithTheNextRead(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		mustExec(t, w.other, `INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at, last_error)
		VALUES ('local', 'bare', '["ftp","ssh"]', 'odd', '2026-01-01 00:00:00.000000', 'boom')`)
		state := w.update("bare", "odd", messages.Running)
		state.ConfigJSON, state.SetLastError = `{"name":"bare"}`, true
		content := w.update("new", "running", messages.Failed)
		content.SetState, content.SetContent, content.ServicesJSON, content.ConfigJSON, content.IP = false, true, `["x"]`, `{"a":2}`, "9.9.9.9"
		for i, c := range []messages.RowChange{w.insert("new", messages.Running), state, content} {
			r := w.one(c)
			read, _, err := w.db.readAll(t.Context())
			if err != nil || r.Outcome != messages.Committed {
				t.Fatal(err, r)
			}
			for _, row := range read.Rows {
				if row.Name == r.Name && !reflect.DeepEqual(row, r.Row) {
					t.Errorf("change %d: replied %+v\nread %+v", i, r.Row, row)
				}
			}
			// A second reader has no cache to agree with.
			fresh, _, err := w.openDB().readAll(t.Context())
			if err != nil || !reflect.DeepEqual(fresh.Rows, read.Rows) {
				t.Errorf("change %d: fresh %+v\ncached %+v (%v)", i, fresh.Rows, read.Rows, err)
			}
		}
	})
}

func TestEachUpdateSetsItsColumnsOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		before := map[string]string{"services": `["ssh"]`, "decky_config": `{"name":"d","last_mutated":1.5}`, "decky_ip": "10.0.0.1",
			"state": "running", "last_error": "<null>", "compose_hash": "<null>", "last_seen": "<null>"}
		const later = "2026-11-23 14:57:58.895804"
		tests := map[string]struct {
			change  func(*messages.RowChange)
			differs map[string]string
		}{
			"state alone":                    {func(c *messages.RowChange) { c.SetState = true }, map[string]string{"state": "failed", "last_seen": later}},
			"last_error alone":               {func(c *messages.RowChange) { c.SetLastError, c.LastError = true, "x" }, map[string]string{"last_error": "x"}},
			"clearing last_error":            {func(c *messages.RowChange) { c.SetLastError = true }, nil},
			"content alone":                  {func(c *messages.RowChange) { c.SetContent = true }, map[string]string{"services": "[1]", "decky_config": "{}", "decky_ip": "1.1.1.1"}},
			"state leaves a config as it is": {func(c *messages.RowChange) { c.SetState, c.ConfigJSON = true, "{}" }, map[string]string{"state": "failed", "last_seen": later}},
			"both": {func(c *messages.RowChange) { c.SetState, c.SetContent = true, true },
				map[string]string{"services": "[1]", "decky_config": "{}", "decky_ip": "1.1.1.1", "state": "failed", "last_seen": later}},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, s)
				w.one(w.insert("d", messages.Running))
				w.now = at(t, later)
				c := messages.RowChange{Name: "d", Kind: messages.UpdateRow, Prev: "running", State: messages.Failed,
					ServicesJSON: "[1]", ConfigJSON: "{}", IP: "1.1.1.1", EventID: w.id()}
				tt.change(&c)
				if r := w.one(c); r.Outcome != messages.Committed {
					t.Fatal(r)
				}
				values, _ := w.stored()
				for column, old := range before {
					want, changed := tt.differs[column]
					if !changed {
						want = old
					} else if column == "last_seen" {
						want = s.kept(want)
					}
					if values[0][column] != want {
						t.Errorf("%s is %q, want %q", column, values[0][column], want)
					}
				}
				if values[0]["updated_at"] != s.kept(later) {
					t.Errorf("updated_at %q", values[0]["updated_at"])
				}
			})
		}
	})
}

func TestAMissingConfigIsFilledWithTheNextWrite(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("local", "d", "running")
		c := w.update("d", "running", messages.Failed)
		c.ConfigJSON, c.ServicesJSON = `{"a":1}`, `["other"]`
		r := w.one(c)
		values, _ := w.stored()
		if values[0]["decky_config"] != c.ConfigJSON || values[0]["services"] != `["ssh"]` || values[0]["decky_ip"] != "<null>" {
			t.Errorf("%v", values[0])
		}
		if !r.Row.HasConfig || r.Row.Digest == "" || !reflect.DeepEqual(r.Row.Services, []string{"ssh"}) {
			t.Errorf("%+v", r.Row)
		}
	})
}

func TestTwinsAreFoundOnBothSides(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		for _, host := range []string{"5f0c", "zzz"} { // below and above "local"
			w.foreign(host, "of "+host, "running")
			if r := w.one(w.insert("of "+host, messages.Running)); r.Outcome != messages.Twinned || r.Twin != host {
				t.Errorf("%+v", r)
			}
		}
	})
}

func TestWhatIsThereDecides(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		tests := map[string]struct {
			have   string // state of the row, "" for none
			change func(*world) messages.RowChange
			want   messages.Outcome
		}{
			"insert over a row is refused":              {"running", func(w *world) messages.RowChange { return w.insert("d", messages.Running) }, messages.Refused},
			"update of another state is refused":        {"failed", func(w *world) messages.RowChange { return w.update("d", "running", messages.Running) }, messages.Refused},
			"update of no row is refused":               {"", func(w *world) messages.RowChange { return w.update("d", "running", messages.Running) }, messages.Refused},
			"delete of another state is refused":        {"failed", func(w *world) messages.RowChange { return w.remove("d", "running") }, messages.Refused},
			"delete of no row is refused":               {"", func(w *world) messages.RowChange { return w.remove("d", "running") }, messages.Refused},
			"delete as expected is committed":           {"running", func(w *world) messages.RowChange { return w.remove("d", "running") }, messages.Committed},
			"any text in the column may be overwritten": {"tearing_down ☃", func(w *world) messages.RowChange { return w.update("d", "tearing_down ☃", messages.Running) }, messages.Committed},
			"an empty state is a state":                 {" ", func(w *world) messages.RowChange { return w.update("d", " ", messages.Running) }, messages.Committed},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, s)
				if tt.have != "" {
					w.foreign("local", "d", tt.have)
				}
				before, _ := w.stored()
				replies, out := w.apply(tt.change(w))
				r := replies[0]
				if r.Outcome != tt.want {
					t.Fatalf("%s, want %s", r.Outcome, tt.want)
				}
				if tt.want == messages.Committed {
					return
				}
				if after, _ := w.stored(); !reflect.DeepEqual(before, after) || len(out) != 0 || r.Rev != 0 {
					t.Errorf("refused and yet %v, outbox %v", after, out)
				}
				if tt.have == "" && r.Presence != messages.Absent || tt.have != "" && (r.Presence != messages.Present || r.Row.State != tt.have) {
					t.Errorf("the reply says %s %+v", r.Presence, r.Row)
				}
			})
		}
	})
}

func TestOneBatchAnswersEachChangeForItself(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.apply(w.insert("gone", messages.Running), w.insert("moved", messages.Running), w.insert("stale", messages.Running))
		w.foreign("5f0c", "twin", "running")
		replies, out := w.apply(w.insert("new", messages.Pending), w.remove("gone", "running"), w.update("stale", "failed", messages.Degraded),
			w.insert("twin", messages.Running), w.update("moved", "running", messages.Degraded))
		var got []string
		for _, r := range replies {
			got = append(got, fmt.Sprint(r.Name, " ", r.Outcome, " ", r.Presence, " ", r.Row.State, " ", r.Rev))
		}
		want := []string{"new committed present pending 1", "gone committed absent  2", "stale refused present running 0",
			"twin twinned absent  0", "moved committed present degraded 2"}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("have %q\nwant %q", got, want)
		}
		if replies[3].Twin != "5f0c" {
			t.Errorf("twin of %q", replies[3].Twin)
		}
		if len(out) != 3 || out[0].Name != "new" || out[1].Name != "gone" || out[2].Name != "moved" || out[0].ID >= out[1].ID || out[1].ID >= out[2].ID {
			t.Errorf("outbox %+v", out)
		}
	})
}

func TestRevisionsNeverGoBack(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		steps := []messages.RowChange{w.insert("d", messages.Running), w.update("d", "running", messages.Failed), w.remove("d", "failed"),
			w.insert("d", messages.Running), w.remove("d", "running")}
		for i, c := range steps {
			if r := w.one(c); r.Rev != int64(i+1) {
				t.Fatalf("step %d: rev %d", i, r.Rev)
			}
		}
		if n := w.count("SELECT COUNT(*) FROM fleetd_outbox"); n != 5 {
			t.Errorf("%d outbox rows", n)
		}
	})
}

func TestWithoutBusRevisionsCountAndNothingIsQueued(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s, func(c *Config) { c.Queue = false })
		_, out := w.apply(w.insert("d", messages.Running))
		r := w.one(w.update("d", "running", messages.Failed))
		if r.Rev != 2 || len(out) != 1 || out[0].ID != 0 || out[0].Topic != "decky.local:d.state" || w.count("SELECT COUNT(*) FROM fleetd_outbox") != 0 {
			t.Errorf("rev %d, outbox %v", r.Rev, out)
		}
	})
}

func TestACommitWhoseAnswerWasLostIsNotRepeated(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		for _, queue := range []bool{true, false} {
			w := newWorld(t, s, func(c *Config) { c.Queue = queue })
			w.one(w.insert("a", messages.Running))
			batch := []messages.RowChange{w.update("a", "running", messages.Failed), w.insert("b", messages.Running)}
			first, out1 := w.apply(batch...)
			again, out2 := w.apply(batch...)
			if !reflect.DeepEqual(first, again) || queue && !reflect.DeepEqual(out1, out2) {
				t.Errorf("first %+v %+v\nagain %+v %+v", first, out1, again, out2)
			}
			if n := w.count("SELECT SUM(rev) FROM fleetd_rev"); n != 3 {
				t.Errorf("revisions sum to %d", n)
			}
		}
	})
}

func TestAnAcknowledgedEventIsRecognizedToo(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		c := w.insert("a", messages.Running)
		_, out := w.apply(c)
		if err := w.db.Acknowledge(t.Context(), []int64{out[0].ID}); err != nil {
			t.Fatal(err)
		}
		replies, again := w.apply(c)
		if replies[0].Outcome != messages.Committed || replies[0].Rev != 1 || len(again) != 0 {
			t.Errorf("%+v %+v", replies, again)
		}
	})
}

func TestAnotherOwnerFencesUs(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.one(w.insert("d", messages.Running))
		seen, err := w.db.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.openDB(func(c *Config) { c.Instance = "i2" }).Take(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
		before, _ := w.stored()
		_, _, err = w.db.Apply(t.Context(), w.token, []messages.RowChange{w.update("d", "running", messages.Failed)})
		if !errors.Is(err, messages.ErrFenced) || Retryable(err) {
			t.Errorf("error %v", err)
		}
		if after, _ := w.stored(); !reflect.DeepEqual(before, after) {
			t.Errorf("a fenced owner wrote %v", after)
		}
		if err := w.db.Beat(t.Context(), w.token); !errors.Is(err, messages.ErrFenced) {
			t.Errorf("beat: %v", err)
		}
		if err := w.db.Release(t.Context(), w.token); !errors.Is(err, messages.ErrFenced) {
			t.Errorf("release: %v", err)
		}
	})
}

func TestRowsOfAnotherHostAreNeverTouched(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("5f0c", "d", "running")
		if r := w.one(w.remove("d", "running")); r.Outcome != messages.Refused || r.Presence != messages.Absent {
			t.Errorf("%+v", r)
		}
		if r := w.one(w.update("d", "running", messages.Failed)); r.Outcome != messages.Refused {
			t.Errorf("%+v", r)
		}
		if values, _ := w.stored(); len(values) != 1 || values[0]["state"] != "running" {
			t.Errorf("%v", values)
		}
	})
}

func TestHostileTextIsDataAndNothingElse(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		c := w.insert("x'); DROP TABLE fleet_deckies; --", messages.Running)
		c.IP, c.SetLastError, c.LastError = "a\x00b\xff'", true, strings.Repeat("é", maxText)
		r := w.one(c)
		values, _ := w.stored()
		if r.Outcome != messages.Committed || values[0]["name"] != c.Name || values[0]["decky_ip"] != "ab\uFFFD'" || len(values[0]["last_error"]) > maxText {
			t.Errorf("%+v %v", r, values)
		}
		if r.Row.IP != values[0]["decky_ip"] || r.Row.LastError != values[0]["last_error"] {
			t.Errorf("replied %+v, stored %v", r.Row, values[0])
		}
	})
}
