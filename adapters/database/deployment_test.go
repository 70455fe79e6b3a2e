package database

import (
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func (w *world) deploy(text string) {
	w.t.Helper()
	mustExec(w.t, w.other, "DELETE FROM state WHERE state.key = 'deployment'")
	mustExec(w.t, w.other, "INSERT INTO state VALUES ('deployment', ?)", text)
}

func (w *world) read() messages.RecordedRead {
	w.t.Helper()
	r, _, err := w.db.readAll(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestTheDeploymentIsReadWhateverItIs(t *testing.T) {
	entry := func(s string) string { return `{"config":{"mode":"unihost","deckies":[` + s + `]},"compose_path":"x"}` }
	tests := map[string]struct {
		text  string
		names string // of the entries that count
		bad   string // in the fault
	}{
		"as DECNET writes it":     {entry(`{"name":"d1","services":["ssh","http"],"last_mutated":12.5,"host_uuid":null,"unknown":1}`), "d1", ""},
		"null":                    {"null", "", ""},
		"without a config":        {`{"config":null}`, "", ""},
		"without deckies":         {entry(""), "", ""},
		"of another host":         {entry(`{"name":"d1","services":["ssh"],"host_uuid":"5f0c"}`), "", ""},
		"ours and another host's": {entry(`{"name":"d1","services":["ssh"],"host_uuid":"5f0c"},{"name":"d2","services":["ssh"],"host_uuid":"local"}`), "d2", ""},
		"without services":        {entry(`{"name":"d1","services":[]}`), "", ""},
		"twins":                   {entry(`{"name":"d1","services":["a"]},{"name":"d1","services":["b"]},{"name":"d2","services":["b"]}`), "d2", ""},
		"a hostile name":          {entry(`{"name":"a\u0000b","services":["a"]}`), "", ""},
		"garbage":                 {"garbage", "", "cannot be read"},
		"a list":                  {"[]", "", "cannot be read"},
		"numbers for services":    {entry(`{"name":"d1","services":[1]}`), "", "cannot be read"},
		"longer than a file":      {strings.Repeat(" ", maxDeployment) + "{}", "", "longer than 16 MiB"},
	}
	everywhere(t, func(t *testing.T, s site) {
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				if len(tt.text) > maxDeployment && s.name != onSQLite.name {
					return // a server's packet has no room for it
				}
				w := newWorld(t, s)
				w.deploy(tt.text)
				r := w.read()
				var names []string
				for _, d := range r.Deployed {
					names = append(names, d.Name)
				}
				if got := strings.Join(names, " "); got != tt.names {
					t.Errorf("counts %q, want %q", got, tt.names)
				}
				if bad := len(r.Faults) == 1 && strings.Contains(r.Faults[0].Error(), tt.bad); (tt.bad != "") != (len(r.Faults) > 0) || tt.bad != "" && !bad {
					t.Errorf("faults %v", r.Faults)
				}
			})
		}
	})
}

func TestTheDeploymentIsReadAgainWhenItChanges(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		if r := w.read(); r.Deployed != nil || r.DeployedSum != 0 {
			t.Errorf("no row: %+v", r)
		}
		w.deploy(`{"config":{"deckies":[{"name":"d1","services":["ssh"],"last_mutated":1.5}]}}`)
		first := w.read()
		if len(first.Deployed) != 1 || first.Deployed[0].LastMutated != 1.5 || w.read().DeployedSum != first.DeployedSum {
			t.Errorf("%+v", first)
		}
		w.deploy(`{"config":{"deckies":[{"name":"d1","services":["http"]}]}}`)
		if r := w.read(); r.DeployedSum == first.DeployedSum || r.Deployed[0].Services[0] != "http" {
			t.Errorf("%+v", r)
		}
		mustExec(t, w.other, `DROP TABLE state`)
		if r := w.read(); r.Deployed != nil || len(r.Faults) != 0 {
			t.Errorf("no table: %+v", r)
		}
	})
}

func FuzzDeploymentNeverBreaks(f *testing.F) {
	f.Add(`{"config":{"deckies":[{"name":"d1","services":["ssh"],"last_mutated":1.5,"host_uuid":""}]}}`)
	f.Add(`null`)
	f.Add(`{"config":{"deckies":null}}`)
	f.Fuzz(func(t *testing.T, text string) {
		list, bad := parseDeployment(text, "local")
		if bad != "" && list != nil {
			t.Error("entries of garbage")
		}
		seen := map[string]bool{}
		for _, d := range list {
			if seen[d.Name] || checkName(d.Name) != "" || len(d.Services) == 0 {
				t.Errorf("%+v", d)
			}
			seen[d.Name] = true
		}
	})
}
