package statefile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateFileIsFoundWhereDECNETKeepsIt(t *testing.T) {
	const site11, site12 = "venv/lib/python3.11/site-packages/", "venv/lib/python3.12/site-packages/"
	rows := []struct {
		name  string
		files []string
		want  string // relative; "" for an error
	}{
		{"an editable installation", []string{FileName}, FileName},
		{"an enrolled worker", []string{site11 + FileName}, site11 + FileName},
		{"both: the first place counts", []string{FileName, site11 + FileName}, FileName},
		{"nothing yet, an editable installation", []string{"decnet/config.py", "venv/lib/python3.11/site-packages/x"}, FileName},
		{"nothing yet, an enrolled worker", []string{site11 + "decnet/config.py"}, site11 + FileName},
		{"nothing at all", nil, FileName},
		{"an old Python left behind", []string{site11 + "decnet/config.py", site12 + FileName}, site12 + FileName},
		{"two files", []string{site11 + FileName, site12 + FileName}, ""},
		{"two packages", []string{site11 + "decnet/x", site12 + "decnet/x"}, ""},
		{"no Python 3", []string{"venv/lib/python2.7/site-packages/" + FileName}, FileName},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "[opt] *") // a pattern must not be read into it
			must(t, os.Mkdir(dir, 0o700))
			for _, f := range row.files {
				must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, f)), 0o700))
				write(t, filepath.Join(dir, f), nil)
			}
			got, err := Probe(dir)
			if row.want == "" {
				if err == nil || !strings.Contains(err.Error(), site12) {
					t.Errorf("got %q, %v; want an error that names both", got, err)
				}
				return
			}
			if err != nil || got != filepath.Join(dir, row.want) {
				t.Errorf("got %q, %v; want %q", got, err, row.want)
			}
		})
	}
	if _, err := Probe(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a directory that is not there is probed without an error")
	}
}
