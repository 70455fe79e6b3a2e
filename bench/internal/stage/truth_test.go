package stage

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
)

func TestStormKeepsToTheOldestAndTruthFollowsTheContainers(t *testing.T) {
	sim, err := dockersim.New(dockersim.Config{Now: time.Now, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Add(dockersim.Fleet{Deckies: 3, Services: []string{"ssh", "http"}}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	go sim.Serve(t.Context(), socket) //nolint:errcheck // ends with the test
	e, err := Connect(t.Context(), "unix://"+socket)
	if err != nil {
		t.Fatal(err)
	}
	told, err := e.Storm(t.Context(), 5000, 6, 100*time.Millisecond) // base and two services of two deckies
	if err != nil || told < 100 {
		t.Fatalf("%d events: %v", told, err)
	}
	calm, err := e.Truth(t.Context(), []string{"ssh", "http"})
	if err != nil || calm["decky-03"] != "running" {
		t.Fatalf("a decky outside the storm is %q: %v", calm["decky-03"], err)
	}
	for _, kill := range []string{"decky-03-ssh", "decky-02-ssh", "decky-02-http"} {
		_ = sim.Kill(kill) // may be dead already
	}
	_, _ = sim.Start("decky-01-ssh"), sim.Start("decky-01-http") // may run already
	got, err := e.Truth(t.Context(), []string{"ssh", "http"})
	want := map[string]string{"decky-01": "running", "decky-02": "failed", "decky-03": "degraded"}
	for name, state := range want {
		if got[name] != state {
			t.Errorf("%s is %q, should be %s (%v)", name, got[name], state, err)
		}
	}
	if stats, err := e.Stats(t.Context()); err != nil || stats.Events < int64(told) {
		t.Errorf("%+v, %v", stats, err)
	}
}
