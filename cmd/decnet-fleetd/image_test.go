package main

import (
	"strings"
	"testing"
)

// TestOnlyWhatIsUnchangedAndOurOwnIsForgotten: anything else would lose what it holds.
func TestOnlyWhatIsUnchangedAndOurOwnIsForgotten(t *testing.T) {
	const smaps = `00400000-01000000 r-xp 00000000 fe:00 123    /usr/bin/decnet-fleetd
Rss:                4096 kB
Anonymous:             0 kB
01000000-02000000 r--p 00c00000 fe:00 123    /usr/bin/decnet-fleetd
Anonymous:             4 kB
02000000-03000000 rw-p 01c00000 fe:00 123    /usr/bin/decnet-fleetd
Anonymous:             0 kB
03000000-04000000 r--p 00000000 fe:00 124    /usr/lib/libc.so.6
Anonymous:             0 kB
c000000000-c004000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7fff0000-7fff8000 r--p 00000000 fe:00 123    /usr/bin/decnet-fleetd
Anonymous:             0 kB
`
	got := untouched(strings.NewReader(smaps), "/usr/bin/decnet-fleetd")
	want := []mapping{{0x400000, 0x1000000}, {0x7fff0000, 0x7fff8000}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestAProgramThatForgotItsImageGoesOn: what it still needs comes back.
func TestAProgramThatForgotItsImageGoesOn(t *testing.T) {
	for range 3 {
		if err := forgetImage(); err != nil {
			t.Fatal(err)
		}
	}
}
