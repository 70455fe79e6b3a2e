package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

// What DECNET does beside us, in its own order of stores. A gap is what lies between two of its steps: a build is the
// longest.
const (
	step  = 50 * time.Millisecond
	build = 2 * time.Second
)

func (s *stage) gap(d time.Duration) {
	s.t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.t.Context().Done():
	}
}

// mirror is DECNET writing a row: everything it knows, and running, whatever the containers do.
func (s *stage) mirror(deckies ...entry) {
	s.t.Helper()
	for _, d := range deckies {
		host := "local"
		if d.HostUUID != nil {
			host = *d.HostUUID
		}
		s.db.exec(s.t, "DELETE FROM fleet_deckies WHERE host_uuid = ? AND name = ?", host, d.Name)
		s.db.exec(s.t, `INSERT INTO fleet_deckies (host_uuid, name, services, decky_config, decky_ip, state, updated_at)
			VALUES (?, ?, ?, ?, ?, 'running', ?)`, host, d.Name, column(s.t, d.Services), column(s.t, d), d.IP, stamp())
	}
}

// remirror is mirror for rows that are there: they are updated in place.
func (s *stage) remirror(deckies ...entry) {
	s.t.Helper()
	for _, d := range deckies {
		n := s.db.exec(s.t, `UPDATE fleet_deckies SET services = ?, decky_config = ?, decky_ip = ?, state = 'running', updated_at = ?
			WHERE host_uuid = 'local' AND name = ?`, column(s.t, d.Services), column(s.t, d), d.IP, stamp(), d.Name)
		if n != 1 {
			s.t.Fatalf("no row of %s to update", d.Name)
		}
	}
}

func (s *stage) unmirror(names ...string) {
	s.t.Helper()
	for _, n := range names {
		s.db.exec(s.t, "DELETE FROM fleet_deckies WHERE host_uuid = 'local' AND name = ?", n)
	}
}

// deployment writes DECNET's row `deployment`.
func (s *stage) deployment(deckies ...entry) {
	s.t.Helper()
	text := column(s.t, map[string]any{"config": map[string]any{"mode": "unihost", "deckies": deckies}, "compose_path": "decnet-compose.yml"})
	s.db.exec(s.t, "DELETE FROM state WHERE state.key = 'deployment'")
	s.db.exec(s.t, "INSERT INTO state VALUES ('deployment', ?)", text)
}

// opens adds a row of decky_lifecycle for each decky; closes ends all that are open.
func (s *stage) opens(operation string, names ...string) {
	s.t.Helper()
	for _, n := range names {
		s.db.exec(s.t, `INSERT INTO decky_lifecycle (id, decky_name, host_uuid, operation, status, started_at, updated_at)
			VALUES (?, ?, NULL, ?, 'running', ?, ?)`, fmt.Sprintf("%s-%s-%d", operation, n, time.Now().UnixNano()), n, operation, stamp(), stamp())
	}
}

func (s *stage) closes() {
	s.t.Helper()
	s.db.exec(s.t, "UPDATE decky_lifecycle SET status = 'succeeded', updated_at = ?", stamp())
}

// column is JSON as DECNET writes it into a column.
func column(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	must(t, e.Encode(v))
	return strings.TrimSpace(b.String())
}

// down is `docker compose down`: every container goes, those of services first, and all of a kind at once.
func (s *stage) down(deckies ...entry) {
	s.t.Helper()
	var bases, services []string
	for _, d := range deckies {
		bases = append(bases, d.Name)
		for _, service := range d.Services {
			services = append(services, serviceOf(d.Name, service).name)
		}
	}
	for _, names := range [][]string{services, bases} {
		var going sync.WaitGroup
		for _, n := range names {
			going.Go(func() {
				if err := s.engine.api.ContainerRemove(s.t.Context(), n, container.RemoveOptions{Force: true}); err != nil {
					s.t.Errorf("remove %s: %v", n, err)
				}
			})
		}
		going.Wait()
	}
}

// up is `docker compose up`: all containers are made first, then started in the order of their dependencies.
func (s *stage) up(deckies ...entry) {
	s.t.Helper()
	var bases, services []string
	for _, d := range deckies {
		bases = append(bases, s.engine.run(s.t, baseOf(d.Name).stillborn()))
		for _, service := range d.Services {
			services = append(services, s.engine.run(s.t, serviceOf(d.Name, service).stillborn()))
		}
	}
	for _, id := range slices.Concat(bases, services) {
		s.engine.start(s.t, id)
	}
}

// never fails if any of the deckies was announced so.
func (s *stage) never(announced string, names ...string) {
	s.t.Helper()
	for _, n := range names {
		for _, e := range s.sub.states(s.t, n) {
			if e.payload.State == announced || e.payload.Transition == announced {
				s.t.Errorf("%s was announced as %s %s%s", n, e.payload.Transition, e.payload.State, s.published())
				return
			}
		}
	}
}

// told is how many events a decky has had.
func (s *stage) told(name string) int { return len(s.sub.states(s.t, name)) }

func namesOf(deckies []entry) []string {
	var names []string
	for _, d := range deckies {
		names = append(names, d.Name)
	}
	return names
}
