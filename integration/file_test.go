package integration

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
)

// TestDeclaredDeckiesBecomeRowsAsDecnetWritesThem looks at every column and key of a first insert.
func TestDeclaredDeckiesBecomeRowsAsDecnetWritesThem(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "rows", 2, "ssh", "docker_api")
	s := play(t, e, deckies...)
	for _, d := range deckies {
		r, _ := s.db.row(t, d.Name)
		var config map[string]any
		must(t, json.Unmarshal([]byte(r.Config.String), &config))
		for _, err := range []error{
			unless(r.Services == `["ssh","docker_api"]`, "services %s", r.Services),
			unless(r.IP.String == d.IP, "decky_ip %q, not %q", r.IP.String, d.IP),
			unless(config["name"] == d.Name && len(config) == 14, "decky_config %s", r.Config.String),
			unless(!r.LastSeen.Valid, "last_seen %q after an insert", r.LastSeen.String),
			unless(!r.LastError.Valid, "last_error %q after an insert", r.LastError.String),
			checkStamp(r.UpdatedAt),
		} {
			if err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
		}
		checkInserted(t, s.sub.last(t, d.Name))
	}
	s.consistent("rows-01", "rows-02")
	for _, d := range deckies {
		s.quiet(d.Name, calm)
	}
}

// checkInserted holds a payload to the reference's keys, ours after them, and never a topology's.
func checkInserted(t *testing.T, e event) {
	t.Helper()
	var keys map[string]any
	must(t, json.Unmarshal(e.raw, &keys))
	for _, key := range []string{"host_uuid", "name", "state", "transition", "source", "rev", "event_id", "observed_at", "cause"} {
		if _, there := keys[key]; !there {
			t.Errorf("no %s in %s", key, e.raw)
		}
	}
	for _, key := range []string{"topology_id", "previous_state"} {
		if _, there := keys[key]; there {
			t.Errorf("%s in %s", key, e.raw)
		}
	}
}

func TestEditsOfTheFileBecomeInsertsChangesAndDeletes(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "edit", 2, "ssh")
	s := play(t, e, deckies[0])

	s.declare(deckies...)
	s.reaches("edit-02", "running", prompt)

	moved := deckies[1]
	moved.IP = "10.9.9.9"
	s.declare(deckies[0], moved)
	eventually(t, prompt, func() error {
		r, _ := s.db.row(t, "edit-02")
		last := s.sub.last(t, "edit-02").payload
		return errors.Join(unless(r.IP.String == moved.IP, "decky_ip is %q", r.IP.String),
			unless(last.Transition == "config_changed" && slices.Contains(last.Changed, "decky_ip"), "last event %+v", last))
	})

	e.remove(t, "edit-02-ssh")
	s.reaches("edit-02", "torn_down", prompt)
	s.declare(deckies[0])
	s.vanishes("edit-02", soon)
	s.consistent("edit-01", "edit-02")
}

func TestBrokenFileChangesNothing(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "broken", 1, "ssh")
	s := play(t, e, deckies...)
	for _, text := range []string{"", "{", `{"config":null,"compose_path":""}`, `{"config":{"deckies":[]},"compose_path":""}`} {
		overwrite(t, s.path("decnet-state.json"), text)
		s.quiet("broken-01", calm)
	}
	e.stop(t, "broken-01-ssh")
	s.reaches("broken-01", "failed", prompt) // the last good file stays in force
	s.declare(append(deckies, declare("broken-02", "ssh"))...)
	s.reaches("broken-02", "torn_down", prompt)
	s.consistent("broken-01", "broken-02")
}

func TestReconcileOncePrintsTheReferencesLine(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "once", 2, "ssh")
	s := newStage(t, e, deckies...)
	for _, want := range []string{
		"reconcile: inserted=2 deleted=0 state_updated=0",
		"reconcile: inserted=0 deleted=0 state_updated=0",
	} {
		out, code := s.command("reconcile", "--once")
		if first := firstLine(out); code != 0 || first != want {
			t.Fatalf("exit code %d, first line %q; want 0, %q", code, first, want)
		}
	}
	eventually(t, prompt, func() error {
		return errors.Join(unless(len(s.sub.states(t, "once-01")) == 1, "events of once-01: %v", s.sub.story(t, "once-01")),
			unless(len(s.sub.states(t, "once-02")) == 1, "events of once-02: %v", s.sub.story(t, "once-02")))
	})
	s.consistent("once-01", "once-02")
}
