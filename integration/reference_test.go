package integration

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// tick is one pass of DECNET's Python reconciler, with its order of writes, its encodings and its defects: rows are matched
// by name alone, a missing file declares nothing, containers are looked for by name, a state is written and last_seen with
// it, an INSERT leaves last_seen NULL.
func (s *stage) tick() {
	s.t.Helper()
	declared := s.declaredNow()
	rows := map[string]string{}
	for _, r := range s.db.rows(s.t) {
		if r.Host == "local" {
			rows[r.Name] = r.State
		}
	}
	docker := s.containersByName()
	names := map[string]bool{}
	for _, d := range declared {
		names[d.Name] = true
		if _, there := rows[d.Name]; there {
			continue
		}
		services, err := json.Marshal(d.Services)
		must(s.t, err)
		config, err := json.Marshal(d)
		must(s.t, err)
		s.db.exec(s.t, `INSERT INTO fleet_deckies (host_uuid, name, services, decky_config, decky_ip, state, updated_at)
			VALUES ('local', ?, ?, ?, ?, ?, ?)`, d.Name, string(services), string(config), d.IP, referenceState(d, docker), stamp())
	}
	for name := range rows {
		if !names[name] {
			s.db.exec(s.t, "DELETE FROM fleet_deckies WHERE host_uuid = 'local' AND name = ?", name)
		}
	}
	for _, d := range declared {
		if state, there := rows[d.Name]; there && state != referenceState(d, docker) {
			now := stamp()
			s.db.exec(s.t, "UPDATE fleet_deckies SET state = ?, updated_at = ?, last_seen = ? WHERE host_uuid = 'local' AND name = ?",
				referenceState(d, docker), now, now, d.Name)
		}
	}
}

func (s *stage) declaredNow() []entry {
	raw, err := os.ReadFile(s.path("decnet-state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(s.t, err)
	var file struct{ Config struct{ Deckies []entry } }
	must(s.t, json.Unmarshal(raw, &file))
	return file.Config.Deckies
}

func (s *stage) containersByName() map[string]string {
	all, err := s.engine.api.ContainerList(s.t.Context(), container.ListOptions{All: true})
	must(s.t, err)
	states := map[string]string{}
	for _, c := range all {
		for _, name := range c.Names {
			states[strings.TrimPrefix(name, "/")] = c.State
		}
	}
	return states
}

// referenceState is its aggregate: every service is expected under its name with dashes, the singleton sniffer too.
func referenceState(d entry, docker map[string]string) string {
	var want []string
	for _, service := range d.Services {
		want = append(want, d.Name+"-"+strings.ReplaceAll(service, "_", "-"))
	}
	slices.Sort(want)
	want = slices.Compact(want)
	seen, running := 0, 0
	for _, name := range want {
		if state, there := docker[name]; there {
			seen++
			if state == "running" {
				running++
			}
		}
	}
	switch {
	case seen == 0:
		return "torn_down"
	case running == len(want):
		return "running"
	case running == 0:
		return "failed"
	}
	return "degraded"
}
