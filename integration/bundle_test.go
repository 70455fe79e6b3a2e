package integration

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// bundled is one file of a support bundle.
func bundled(t *testing.T, path, name string) []byte {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	must(t, err)
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			t.Fatalf("%s has no %s", path, name)
		}
		must(t, err)
		if h.Name == "decnet-fleetd/"+name {
			raw, err := io.ReadAll(r)
			must(t, err)
			return raw
		}
	}
}

// TestABundleOfALiveHostTellsWhyAndIsDecidedAgain: the decky that is not well is the first that is looked into, with its
// facts, decisions and the messages it handled since somebody looked; the bundle's decisions are those of this program.
func TestABundleOfALiveHostTellsWhyAndIsDecidedAgain(t *testing.T) {
	s, sim := webStage(t, "web-01", "web-02", "web-03")
	s.say(0, "inspect", "web-02") // from now on its messages are remembered
	must(t, sim.Kill("web-02-ssh"))
	s.reaches("web-02", "failed", soon)
	file := s.path("bundle.tar.gz")
	s.say(0, "debug", "bundle", "--duration", "1s", "--file", file)
	var all []struct {
		Decky     struct{ Name, State string }
		Facts     []struct{ Source, Detail string }
		Decisions []struct{ State, Action string }
		Messages  []struct{ Type string }
	}
	must(t, json.Unmarshal(bundled(t, file, "inspections.json"), &all))
	if len(all) != 3 || all[0].Decky.Name != "web-02" || all[0].Decky.State != "failed" || len(all[0].Facts) != 3 || len(all[0].Decisions) == 0 {
		t.Fatalf("%+v", all)
	}
	if m := all[0].Messages; len(m) == 0 || !strings.HasPrefix(m[0].Type, "messages.") {
		t.Errorf("its messages: %+v", m)
	}
	if out := s.say(0, "debug", "replay", file, "--check"); !strings.Contains(out, "3 deckies of ") || !strings.Contains(out, " 0 differ") {
		t.Error(out)
	}
}
