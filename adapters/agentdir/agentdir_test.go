package agentdir

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheAgentsDirectoryIsFoundByDECNETsRule(t *testing.T) {
	system, home := t.TempDir(), "/home/decnet"
	none := filepath.Join(system, "none")
	file := filepath.Join(system, "file")
	touch(t, file)
	for name, c := range map[string]struct{ named, system, want string }{
		"what is named comes first":            {"/x", system, "/x"},
		"then the system's, where it is there": {"", system, system},
		"else the user's":                      {"", none, "/home/decnet/.decnet/agent"},
		"a file is no directory":               {"", file, "/home/decnet/.decnet/agent"},
	} {
		if got := worker(c.named, c.system, home); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAMastersAuthorityMayLieAboveItsCertificate(t *testing.T) {
	home := t.TempDir()
	dir := Master(home)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	touch(t, filepath.Join(home, ".decnet/ca/ca.crt"))
	if got, want := In(dir), (Files{filepath.Join(home, ".decnet/ca/ca.crt"), filepath.Join(dir, "worker.crt"), filepath.Join(dir, "worker.key")}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	touch(t, filepath.Join(dir, "ca.crt"))
	if got := In(dir).CA; got != filepath.Join(dir, "ca.crt") {
		t.Errorf("its own comes first: %s", got)
	}
}

func TestOnlyWhatIsSurelyGoneHasVanished(t *testing.T) {
	dir := t.TempDir()
	there, none := filepath.Join(dir, "there"), filepath.Join(dir, "none")
	touch(t, there)
	dangling := filepath.Join(dir, "link")
	if err := os.Symlink(none, dangling); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		paths []string
		want  bool
	}{
		"all gone":             {[]string{none, filepath.Join(none, "deeper")}, true},
		"one is left":          {[]string{none, there}, false},
		"a link to nowhere":    {[]string{dangling}, false},
		"below a file":         {[]string{filepath.Join(there, "x")}, false}, // ENOTDIR says nothing of what was there
		"nothing is asked for": {nil, false},
	} {
		if got := Vanished(c.paths...); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}
