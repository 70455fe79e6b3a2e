package panics

import (
	"strings"
	"testing"
)

func TestTheLineThatPanickedIsNamed(t *testing.T) {
	var none []int
	for name, f := range map[string]func(){
		"a word":            func() { panic("boom") },
		"an index too high": func() { none[len(name(t))]++ },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Fatalf("%s: no panic", name)
				}
				if site := Site(); !strings.HasPrefix(site, "panics_test.go:") || site == "panics_test.go:0" {
					t.Errorf("%s: %s", name, site)
				}
			}()
			f()
		}()
	}
}

func name(t *testing.T) string { t.Helper(); return t.Name() }
