package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFiveDumpsAreKeptTheNewest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dumps")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var last string
	for n := range 8 {
		path, err := writeDump(dir, at.Add(time.Duration(n)*time.Microsecond), func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "dump %d", n)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		last = path
	}
	kept, err := os.ReadDir(dir)
	if err != nil || len(kept) != keptDumps {
		t.Fatalf("%d dumps, %v", len(kept), err)
	}
	for i, e := range kept {
		if raw, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || string(raw) != fmt.Sprintf("dump %d", i+3) {
			t.Errorf("%s holds %q, %v", e.Name(), raw, err)
		}
	}
	if info, err := os.Stat(last); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: a dump shows what others must not see", info, err)
	}
}

func TestADumpThatCannotBeWrittenIsSaid(t *testing.T) {
	full := errors.New("no space left")
	if _, err := writeDump(t.TempDir(), time.Now(), func(io.Writer) error { return full }); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}
