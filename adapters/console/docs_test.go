package console

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	rowOfFeature = regexp.MustCompile(`(?m)^\| (\d+) \|.*$`)
	nameOfTest   = regexp.MustCompile(`\bTest[A-Z][A-Za-z0-9]*`)
	pictureOf    = regexp.MustCompile(`\]\((images/[^)]+)\)`)
)

func TestEveryFeatureOfTheConsoleNamesATestThatExists(t *testing.T) {
	doc, err := os.ReadFile("../../docs/console.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path) //nolint:gosec // the repository's own
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(raw), -1) {
			tests[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := rowOfFeature.FindAllString(string(doc), -1)
	if len(rows) != 24 {
		t.Errorf("the table has %d rows, want 24", len(rows))
	}
	for _, row := range rows {
		names := nameOfTest.FindAllString(row, -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", row)
		}
		for _, n := range names {
			if !tests[n] {
				t.Errorf("there is no %s: %s", n, row)
			}
		}
	}
	for _, m := range pictureOf.FindAllStringSubmatch(string(doc), -1) {
		if i, err := os.Stat("../../docs/" + m[1]); err != nil || i.Size() > 150<<10 {
			t.Errorf("%s: %v, or larger than 150 KiB", m[1], err)
		}
	}
}
