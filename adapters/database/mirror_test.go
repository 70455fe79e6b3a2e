package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

const (
	workerA = "aaaaaaaa-1111-1111-1111-111111111111"
	workerB = "bbbbbbbb-2222-2222-2222-222222222222"
)

// hubWorld is a database with DECNET's table of hosts, opened as a hub's.
func hubWorld(t *testing.T, s site, enrolled ...string) *world {
	t.Helper()
	w := newWorld(t, s, func(c *Config) { c.Rehome = rehomed })
	if s.name != onSQLite.name {
		mustExec(t, w.other, "CREATE TABLE swarm_hosts (uuid VARCHAR(255) NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, client_cert_fingerprint VARCHAR(255) NOT NULL)")
	}
	for i, host := range enrolled {
		w.enrol(host, fmt.Sprintf("w%d", i+1))
	}
	return w
}

func (w *world) enrol(host, name string) {
	w.t.Helper()
	if w.at.name == onSQLite.name {
		mustExec(w.t, w.other, `INSERT INTO swarm_hosts (uuid, name, address, agent_port, status, client_cert_fingerprint, cert_bundle_path, enrolled_at, use_ipvlan)
			VALUES (?, ?, '', 8765, 'active', ?, '', ?, 0)`, host, name, strings.Repeat("0", 64), stamp(w.now))
		return
	}
	mustExec(w.t, w.other, "INSERT INTO swarm_hosts (uuid, name, client_cert_fingerprint) VALUES (?, ?, ?)", host, name, strings.Repeat("0", 64))
}

func rehomed(config, host string) (string, error) {
	if strings.Contains(config, `"host_uuid":"`) && !strings.Contains(config, host) {
		return "", errors.New("it names another host")
	}
	return strings.Replace(config, `"host_uuid":null`, `"host_uuid":"`+host+`"`, 1), nil
}

func shippedRow(name, state string) *messages.ShippedRow {
	config, ip := `{"name":"`+name+`","host_uuid":null,"last_mutated":1.5}`, "10.0.0.9"
	return &messages.ShippedRow{Name: name, ServicesJSON: `["ssh"]`, ConfigJSON: &config, IP: &ip, State: state}
}

// shipped is a transition as a worker ships it; an empty state is a deletion.
func (w *world) shipped(host, name string, rev int64, transition string, states ...string) messages.Shipped {
	w.t.Helper()
	prev, state := states[0], states[1]
	e := messages.Shipped{ID: rev, EventID: w.id(), Name: name, Rev: rev}
	t := messages.Transition{HostUUID: host, Name: name, State: state, Transition: transition, PreviousState: prev, Source: "fleet", Rev: rev,
		EventID: e.EventID, Cause: "relist"}
	if state != "" {
		e.Row = shippedRow(name, state)
	} else {
		t.State = "torn_down"
	}
	raw, err := t.JSON()
	if err != nil {
		w.t.Fatal(err)
	}
	e.Payload = json.RawMessage(raw)
	return e
}

func events(host string, all ...messages.Shipped) messages.Delivery {
	return messages.Delivery{HostUUID: host, Batch: messages.ShipBatch{Origin: "o1", Events: all}}
}

func listing(host string, rows ...*messages.ShippedRow) messages.Delivery {
	d := messages.Delivery{HostUUID: host, Batch: messages.ShipBatch{Origin: "o1", Slice: &messages.Slice{ID: "s", Last: true}}, Keep: map[string]bool{}}
	for _, r := range rows {
		d.Batch.Slice.Rows = append(d.Batch.Slice.Rows, *r)
		d.Keep[r.Name] = true
	}
	return d
}

func (w *world) mirror(d ...messages.Delivery) []messages.Delivered {
	w.t.Helper()
	out, _, err := w.db.Mirror(w.t.Context(), w.token, d)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(out) != len(d) {
		w.t.Fatalf("%d answers to %d deliveries", len(out), len(d))
	}
	return out
}

func (w *world) states(host string) string {
	w.t.Helper()
	var all []string
	for _, r := range w.dump("SELECT name, state FROM fleet_deckies WHERE host_uuid = ? ORDER BY name", host) {
		all = append(all, r["name"]+" "+r["state"])
	}
	return strings.Join(all, ", ")
}

func (w *world) told() string {
	w.t.Helper()
	pending, err := w.db.Pending(w.t.Context(), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, r := range pending {
		var t messages.Transition
		if err := json.Unmarshal([]byte(r.Payload), &t); err != nil {
			w.t.Fatal(err)
		}
		if r.Topic != messages.StateTopic(t.HostUUID, t.Name) || r.Rev != t.Rev || r.EventID != t.EventID {
			w.t.Errorf("outbox row %+v", r)
		}
		all = append(all, fmt.Sprintf("%c/%s %d %s %s", t.HostUUID[0], t.Name, t.Rev, t.Transition, t.State))
	}
	return strings.Join(all, ", ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestWhatAWorkerShipsIsMirroredUnderItsHostAndAnnouncedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA, workerB)
		w.foreign("local", "mine", "running")
		e1 := w.shipped(workerA, "d1", 1, "inserted", "", "running")
		e2 := w.shipped(workerA, "d1", 2, "state_changed", "running", "failed")
		e2.Row, e1.Row = shippedRow("d1", "failed"), shippedRow("d1", "failed") // as it is now
		f1 := w.shipped(workerB, "x1", 1, "inserted", "", "running")
		w.mirror(events(workerA, e1, e2), events(workerB, f1))
		want(t, "rows of a", w.states(workerA), "d1 failed")
		want(t, "rows of b", w.states(workerB), "x1 running")
		want(t, "our own", w.states("local"), "mine running")
		const first = "a/d1 1 inserted running, a/d1 2 state_changed failed, b/x1 1 inserted running"
		want(t, "announced", w.told(), first)
		if got := w.dump("SELECT decky_config FROM fleet_deckies WHERE name = 'd1'")[0]["decky_config"]; !strings.Contains(got, workerA) {
			t.Errorf("the configuration does not name its host: %s", got)
		}

		// The ack was lost: whole, in part, and after the outbox has been emptied.
		w.mirror(events(workerA, e1, e2))
		w.mirror(events(workerA, e1), events(workerB, f1))
		want(t, "announced after a repetition", w.told(), first)
		mustExec(t, w.other, "DELETE FROM fleetd_outbox")
		w.mirror(events(workerA, e1), events(workerA, e1, e2), events(workerB, f1))
		want(t, "announced after it was published", w.told(), "")
		want(t, "rows of a", w.states(workerA), "d1 failed")

		e3 := w.shipped(workerA, "d1", 3, "state_changed", "failed", "running")
		w.mirror(events(workerA, e3))
		mustExec(t, w.other, "DELETE FROM fleetd_outbox")
		w.mirror(events(workerA, e2)) // a part alone, with its row as it was then
		want(t, "announced of an older part", w.told(), "")
		want(t, "rows of a after an older part", w.states(workerA), "d1 running")

		w.mirror(events(workerA, w.shipped(workerA, "d1", 4, "deleted", "running", "")))
		want(t, "rows of a after a deletion", w.states(workerA), "")
		want(t, "announced", w.told(), "a/d1 4 deleted torn_down")
	})
}

func TestAWorkerWhoseDatabaseBeganAnewIsHeardAgain(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA)
		w.mirror(events(workerA, w.shipped(workerA, "d1", 1, "inserted", "", "running"), w.shipped(workerA, "d1", 2, "state_changed", "running", "failed")))
		mustExec(t, w.other, "DELETE FROM fleetd_outbox")
		anew := events(workerA, w.shipped(workerA, "d1", 1, "inserted", "", "failed"))
		anew.Batch.Origin = "o2"
		w.mirror(anew)
		want(t, "announced of a row that is as it was", w.told(), "")

		// Its revisions are far above the old ones, and by the time it ships the row has changed once more.
		const rev = 1 << 32
		anew = events(workerA, w.shipped(workerA, "d1", rev, "inserted", "", "failed"), w.shipped(workerA, "d1", rev+1, "state_changed", "failed", "running"))
		anew.Batch.Origin = "o3"
		anew.Batch.Events[0].Row = shippedRow("d1", "running")
		w.mirror(anew)
		want(t, "announced of one that has changed once", w.told(), "a/d1 3 state_changed running")
		mustExec(t, w.other, "DELETE FROM fleetd_outbox")
		w.mirror(events(workerA, w.shipped(workerA, "d1", 3, "state_changed", "running", "failed")))
		mustExec(t, w.other, "DELETE FROM fleetd_outbox")
		anew = events(workerA, w.shipped(workerA, "d1", 2, "state_changed", "failed", "running"))
		anew.Batch.Origin = "o2"
		w.mirror(anew)
		want(t, "announced", w.told(), "a/d1 5 state_changed running")
		want(t, "rows", w.states(workerA), "d1 running")
	})
}

func TestAListingHealsWhatDiffersAndLeavesAloneWhatWasNeverReported(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA)
		w.mirror(events(workerA, w.shipped(workerA, "d1", 1, "inserted", "", "running"), w.shipped(workerA, "d2", 1, "inserted", "", "running"),
			w.shipped(workerA, "d3", 1, "inserted", "", "running")))
		mustExec(t, w.other, "DELETE FROM fleetd_outbox")
		w.foreign(workerA, "never", "pending") // DECNET's own, of a deploy the worker has not seen yet
		w.mirror(listing(workerA, shippedRow("d1", "running"), shippedRow("d2", "running"), shippedRow("d3", "running")))
		want(t, "announced of a table that is right", w.told(), "")

		mustExec(t, w.other, "UPDATE fleet_deckies SET state = 'pending' WHERE name = 'd1'")
		mustExec(t, w.other, "DELETE FROM fleet_deckies WHERE name = 'd2'")
		out := w.mirror(listing(workerA, shippedRow("d1", "running"), shippedRow("d2", "running")))
		want(t, "rows", w.states(workerA), "d1 running, d2 running, never pending")
		want(t, "announced", w.told(), "a/d1 2 state_changed running, a/d2 2 inserted running, a/d3 2 deleted torn_down")
		if len(out[0].Rows) != 2 || len(out[0].Gone) != 1 || out[0].Gone[0] != "d3" {
			t.Errorf("told of %+v, gone %v", out[0].Rows, out[0].Gone)
		}
	})
}

func TestWhatAHostMayNotSayIsRefusedAndTheRestOfItsBatchIsNot(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA, workerB)
		w.foreign("local", "twin", "running")
		stolen := w.shipped(workerB, "theirs", 1, "inserted", "", "running")
		w.mirror(events(workerB, stolen))
		theft := w.shipped(workerA, "theft", 1, "inserted", "", "running")
		theft.EventID = stolen.EventID
		config := `{"name":"foreign","host_uuid":"` + workerB + `"}`
		foreign := w.shipped(workerA, "foreign", 1, "inserted", "", "running")
		foreign.Row.ConfigJSON = &config
		word := w.shipped(workerA, "word", 1, "../*", "", "running")
		out := w.mirror(events(workerA, w.shipped(workerA, "good", 1, "inserted", "", "running"), w.shipped(workerA, "twin", 1, "inserted", "", "failed"),
			w.shipped(workerA, "theirs", 1, "inserted", "", "failed"), theft, foreign, word, w.shipped(workerA, "good2", 1, "inserted", "", "running")),
			events(workerB, w.shipped(workerB, "good", 1, "inserted", "", "running")), events("local", w.shipped("local", "mine", 1, "inserted", "", "failed")))
		want(t, "rows of a", w.states(workerA), "good running, good2 running")
		want(t, "rows of b", w.states(workerB), "theirs running")
		want(t, "our own", w.states("local"), "twin running")
		var why []string
		for _, d := range out {
			for _, r := range d.Refused {
				why = append(why, r.Name+": "+r.Why)
			}
		}
		want(t, "refused", strings.Join(why, "; "), "twin: another host has a decky of this name: local; theirs: another host has a decky of this name: "+workerB+
			"; theft: the event is another host's; foreign: its configuration: it names another host; word: the transition makes no sense"+
			"; good: another host has a decky of this name: "+workerA+"; mine: the hub's own rows are nobody else's to write")
		if w.db.d.folds {
			out := w.mirror(events(workerB, w.shipped(workerB, "GOOD", 1, "inserted", "", "running")))
			if len(out[0].Refused) != 1 {
				t.Error("a name that the collation takes for another host's was taken")
			}
		}
		out = w.mirror(events(workerA, w.shipped(workerA, "GOOD", 1, "inserted", "", "running"), w.shipped(workerA, "good3", 1, "inserted", "", "running")))
		if refused := len(out[0].Refused); w.db.d.folds != (refused == 1) {
			t.Errorf("of two names of one collation %d are refused", refused)
		}
		if !strings.Contains(w.states(workerA), "good3 running") {
			t.Error("what the database refuses kept the rest from it")
		}
	})
}

func TestAHubThatLostItsLeaseMirrorsNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA)
		_, _, err := w.db.Mirror(t.Context(), w.token+1, []messages.Delivery{events(workerA, w.shipped(workerA, "d1", 1, "inserted", "", "running"))})
		if !errors.Is(err, messages.ErrFenced) || w.states(workerA) != "" || w.told() != "" {
			t.Errorf("%v; rows %q, announced %q", err, w.states(workerA), w.told())
		}
	})
}

func TestAHostIsForgottenOnlyOnceItIsDecommissioned(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA, workerB)
		w.mirror(events(workerA, w.shipped(workerA, "d1", 1, "inserted", "", "running")), events(workerB, w.shipped(workerB, "d2", 1, "inserted", "", "running")))
		mustExec(t, w.other, "DELETE FROM fleetd_outbox")
		w.foreign(workerA, "never", "pending")
		forget := messages.Delivery{HostUUID: workerA, Forget: true, By: "root"}
		if got := w.mirror(forget)[0]; !errors.Is(got.Err, messages.ErrEnrolled) || len(got.Gone) > 0 {
			t.Errorf("an enrolled host: %+v", got)
		}
		if _, err := w.db.MirrorNames(t.Context(), workerA); !errors.Is(err, messages.ErrEnrolled) {
			t.Errorf("names of an enrolled host: %v", err)
		}
		mustExec(t, w.other, "DELETE FROM swarm_hosts WHERE uuid = ?", workerA)
		if names, err := w.db.MirrorNames(t.Context(), workerA); err != nil || strings.Join(names, " ") != "d1 never" {
			t.Errorf("names: %v, %v", names, err)
		}
		got := w.mirror(forget)[0]
		if got.Err != nil || strings.Join(got.Gone, " ") != "d1 never" {
			t.Errorf("forgotten: %+v", got)
		}
		want(t, "rows", w.states(workerA)+"/"+w.states(workerB), "/d2 running")
		want(t, "announced", w.told(), "a/d1 2 deleted torn_down, a/never 1 deleted torn_down")
		if got := w.mirror(forget)[0]; !errors.Is(got.Err, messages.ErrNoSuchHost) {
			t.Errorf("a second time: %+v", got)
		}
	})
}

func TestAWorkerShipsRowsAsTheyAreAndListsThemOnlyWhenNothingWaits(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.apply(w.insert("d1", messages.Running))
	w.apply(w.update("d1", "running", messages.Failed))
	w.apply(w.insert("d2", messages.Running))
	got, err := w.db.Shippable(t.Context(), 0, 10)
	if err != nil || len(got) != 3 || got[0].Row.State != "failed" || got[0].Rev != 1 || got[1].Rev != 2 || *got[2].Row.IP != "10.0.0.1" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, caughtUp, err := w.db.Slice(t.Context(), got[1].ID); caughtUp || err != nil {
		t.Errorf("with a transition waiting: caught up %v, %v", caughtUp, err)
	}
	rows, caughtUp, err := w.db.Slice(t.Context(), got[2].ID)
	if !caughtUp || err != nil || len(rows) != 2 || rows[0].State != "failed" || rows[1].UpdatedAt.IsZero() {
		t.Errorf("%+v, %v, %v", rows, caughtUp, err)
	}
	w.apply(w.remove("d1", "failed"))
	if got, err = w.db.Shippable(t.Context(), 0, 1); err != nil || len(got) != 1 || got[0].Row != nil {
		t.Errorf("of a row that is gone: %+v, %v", got, err)
	}
	o1, err1 := w.db.Origin(t.Context())
	o2, err2 := w.db.Origin(t.Context())
	if o1 == "" || o1 != o2 || errors.Join(err1, err2) != nil {
		t.Errorf("origins %q, %q, %v %v", o1, o2, err1, err2)
	}
}

func TestAHubsListsHaveTheRowsOfAllOtherHosts(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA)
		w.mirror(events(workerA, w.shipped(workerA, "d1", 1, "inserted", "", "running")))
		w.foreign("local", "mine", "running")
		w.foreign("zz", "other", "failed")
		read, err := w.db.MirrorRead(t.Context())
		if err != nil || len(read.Rows) != 2 || read.Rows[0].Rev != 1 || read.Rows[0].UpdatedAt.IsZero() || read.Rows[1].Name != "other" {
			t.Errorf("%+v, %v", read, err)
		}
		pins, err := w.db.Pins(t.Context())
		if err != nil || len(pins) != 1 || pins[0] != (messages.Pin{HostUUID: workerA, Name: "w1", Fingerprint: strings.Repeat("0", 64)}) {
			t.Errorf("%+v, %v", pins, err)
		}
	})
}
