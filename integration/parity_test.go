package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
)

// scenario is one end-to-end run recorded from the Python reconciler.
type scenario struct {
	Name       string            `json:"name"`
	HostUUID   string            `json:"host_uuid"`
	StateJSON  json.RawMessage   `json:"state_json"` // null: no file; a string: its text; else the document
	Before     []recordedRow     `json:"db_before"`
	Containers map[string]string `json:"containers"`
	Docker     string            `json:"docker"`
	Ticks      []tick            `json:"ticks"`
}

// tick is what one pass of the reference did.
type tick struct {
	Counts *counts         `json:"counts"` // null: it raised
	Events []recordedTopic `json:"events"`
	After  []recordedRow   `json:"db_after"`
}

type counts struct {
	Inserted     int `json:"inserted"`
	Deleted      int `json:"deleted"`
	StateUpdated int `json:"state_updated"`
}

type recordedTopic struct {
	Topic   string          `json:"topic"`
	Payload json.RawMessage `json:"payload"`
}

// recordedRow is a row as the reference's database had it; "<now>" stands for the time of the pass.
type recordedRow struct {
	Host      string  `json:"host_uuid"`
	Name      string  `json:"name"`
	Services  string  `json:"services"`
	Config    *string `json:"decky_config"`
	IP        *string `json:"decky_ip"`
	State     string  `json:"state"`
	LastError *string `json:"last_error"`
	Hash      *string `json:"compose_hash"`
	LastSeen  *string `json:"last_seen"`
	UpdatedAt string  `json:"updated_at"`
}

const now = "<now>"

func scenarios(t *testing.T) []scenario {
	t.Helper()
	text, err := os.ReadFile("testdata/reconcile_scenarios.json")
	must(t, err)
	var file struct {
		Scenarios []scenario `json:"scenarios"`
	}
	must(t, json.Unmarshal(text, &file))
	if len(file.Scenarios) != 36 {
		t.Fatalf("%d scenarios, there are 36", len(file.Scenarios))
	}
	return file.Scenarios
}

// TestParity runs what was recorded from the reference against the same world on every engine: file, database, engine,
// bus.
func TestParity(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		for _, sc := range scenarios(t) {
			t.Run(sc.Name, func(t *testing.T) {
				t.Parallel()
				s := setUp(t, sc, d)
				for i, recorded := range sc.Ticks {
					want := expectation(sc, i, recorded)
					heard := len(s.transitions(t))
					out, code := s.command(s.once(sc)...)
					s.compare(t, want, out, code, heard)
				}
			})
		}
	})
}

// parityStage is a stage whose engine is the simulator: a scenario wants containers in states that no engine makes on
// demand.
type parityStage struct{ *stage }

func setUp(t *testing.T, sc scenario, d *dbms) parityStage {
	t.Helper()
	s := parityStage{newStageOn(t, d, &engine{host: "unix:///nonexistent/docker.sock"})}
	if sc.Docker == "up" {
		s.engine.host = "unix://" + simulate(t, s.path("docker.sock"), sc.Containers)
	}
	for _, r := range sc.Before {
		s.db.exec(t, "INSERT INTO fleet_deckies VALUES (?,?,?,?,?,?,?,?,?,?)", r.Host, r.Name, r.Services, r.Config, r.IP,
			r.State, r.LastError, r.Hash, r.LastSeen, r.UpdatedAt)
	}
	text := string(sc.StateJSON)
	if text == "null" {
		return s
	}
	if strings.HasPrefix(text, `"`) {
		must(t, json.Unmarshal(sc.StateJSON, &text))
	}
	must(t, os.WriteFile(s.path("decnet-state.json"), []byte(text), 0o600))
	return s
}

// simulate serves unlabelled containers of those names and states.
func simulate(t *testing.T, socket string, containers map[string]string) string {
	t.Helper()
	sim, err := dockersim.New(dockersim.Config{Now: time.Now})
	must(t, err)
	for name, state := range containers {
		_, err := sim.Create(dockersim.Spec{Name: name, State: state})
		must(t, err)
	}
	serveSim(t, sim, socket)
	return socket
}

func serveSim(t *testing.T, sim *dockersim.Engine, socket string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sim.Serve(ctx, socket) }()
	t.Cleanup(func() { cancel(); must(t, <-done) })
	eventually(t, prompt, func() error { _, err := os.Stat(socket); return err })
}

func (s parityStage) once(sc scenario) []string {
	verb := []string{"reconcile", "--once", "--host-uuid", sc.HostUUID}
	if sc.Name == "dotted_name_no_bus" {
		verb = append(verb, "--bus", "off")
	}
	return verb
}

// transitions are the state events heard so far.
func (s parityStage) transitions(t *testing.T) []event {
	t.Helper()
	return slices.DeleteFunc(s.sub.all(t), func(e event) bool { return e.kind != "state" })
}

func (s parityStage) compare(t *testing.T, want expected, out string, code, heard int) {
	t.Helper()
	if code != want.exit {
		t.Errorf("exit %d, want %d", code, want.exit)
	}
	first, _, _ := strings.Cut(out, "\n")
	line := fmt.Sprintf("reconcile: inserted=%d deleted=%d state_updated=%d", want.counts.Inserted, want.counts.Deleted, want.counts.StateUpdated)
	if want.exit == 0 && first != line {
		t.Errorf("stdout begins %q, want %q", first, line)
	}
	if err := sameRows(s.recorded(t), want.rows, s.db.dbms.kept); err != nil {
		t.Error(err)
	}
	eventually(t, prompt, func() error {
		return unless(len(s.transitions(t)) >= heard+len(want.events), "events are missing: %s", s.published())
	})
	if err := sameEvents(s.transitions(t)[heard:], want.events); err != nil {
		t.Errorf("%v; published: %s", err, s.published())
	}
}

// recorded reads the table as it was recorded.
func (s parityStage) recorded(t *testing.T) []recordedRow {
	t.Helper()
	found, err := s.db.sql.QueryContext(t.Context(), `SELECT host_uuid, name, services, decky_config, decky_ip, state, last_error,
		compose_hash, `+s.db.dbms.when("last_seen")+`, `+s.db.dbms.when("updated_at")+` FROM fleet_deckies ORDER BY host_uuid, name`)
	must(t, err)
	defer found.Close() //nolint:errcheck // only read
	var all []recordedRow
	for found.Next() {
		var r recordedRow
		must(t, found.Scan(&r.Host, &r.Name, &r.Services, &r.Config, &r.IP, &r.State, &r.LastError, &r.Hash, &r.LastSeen, &r.UpdatedAt))
		all = append(all, r)
	}
	must(t, found.Err())
	return all
}

// sameRows compares rows; kept is what the engine keeps of a time.
func sameRows(got, want []recordedRow, kept func(string) string) error {
	if len(got) != len(want) {
		return fmt.Errorf("rows %v, want %v", text(got), text(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		g.UpdatedAt = sameTime(g.UpdatedAt, w.UpdatedAt, kept)
		if w.LastSeen != nil && g.LastSeen != nil {
			*g.LastSeen = sameTime(*g.LastSeen, *w.LastSeen, kept)
		}
		if text(g) != text(w) {
			return fmt.Errorf("row\n %s, want\n %s", text(g), text(w))
		}
	}
	return nil
}

// sameTime is want if got is what the engine makes of it: a time of the pass, or one that was there before.
func sameTime(got, want string, kept func(string) string) string {
	const before = "2026-01-01 00:00:00.000000" // of every row in the recording
	if want != now {
		if got == kept(want) {
			return want
		}
		return got
	}
	at, err := time.Parse("2006-01-02 15:04:05", got)
	if err != nil || kept(at.Format("2006-01-02 15:04:05.000000")) != got || got == kept(before) {
		return got
	}
	return now
}

// sameEvents compares per decky: across deckies no order is promised. A payload begins with the reference's keys and
// values, to the byte.
func sameEvents(got []event, want []recordedTopic) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d events, want %d", len(got), len(want))
	}
	heard := map[string][]string{}
	for _, e := range got {
		heard[e.topic] = append(heard[e.topic], string(e.raw))
	}
	for _, w := range want {
		if len(heard[w.Topic]) == 0 {
			return fmt.Errorf("no event on %s", w.Topic)
		}
		g := heard[w.Topic][0]
		heard[w.Topic] = heard[w.Topic][1:]
		if begin := strings.TrimSuffix(compact(w.Payload), "}") + ","; !strings.HasPrefix(g, begin) {
			return fmt.Errorf("on %s\n %s\n does not begin with\n %s", w.Topic, g, begin)
		}
	}
	return nil
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
