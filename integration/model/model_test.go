package model

import (
	"maps"
	"os"
	"strings"
	"testing"
)

// limit is far above the worlds of the bounds below: reaching it is a failure, not an abbreviation.
const limit = 8_000_000

// worlds are explored every time: some seconds with the race detector.
var worlds = map[string]Bounds{
	"one decky that changes twice": {Deckies: 1, Changes: 2, Crashes: 1, Faults: 1, Takes: 3},
	"two deckies":                  {Deckies: 2, Changes: 1, Crashes: 1, Faults: 0, Takes: 2},
}

// wide are explored where MODEL=wide is set: a minute or two.
var wide = map[string]Bounds{
	"one decky that changes twice, many faults": {Deckies: 1, Changes: 2, Crashes: 2, Faults: 2, Takes: 4},
	"two deckies, each fault once":              {Deckies: 2, Changes: 1, Crashes: 1, Faults: 1, Takes: 2},
	"one decky that changes three times":        {Deckies: 1, Changes: 3, Crashes: 1, Faults: 2, Takes: 3},
}

// TestEveryInterleavingDeliversInOrderUnderOneOwner: at least once, in order per decky, never what is not committed, one
// writer; and from every state, a calm world comes to rest.
func TestEveryInterleavingDeliversInOrderUnderOneOwner(t *testing.T) {
	all := maps.Clone(worlds)
	if os.Getenv("MODEL") == "wide" {
		maps.Copy(all, wide)
	}
	for name, b := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := Explore(b, Rules{}, limit)
			if err != nil {
				t.Fatal(err)
			}
			if r.Wrong != "" {
				t.Fatalf("%s:\n%s", r.Wrong, strings.Join(r.Trace, "\n"))
			}
			if r.Worlds < 10_000 {
				t.Errorf("only %d worlds: the faults do not happen", r.Worlds)
			}
			t.Logf("%d worlds", r.Worlds)
		})
	}
}

// caught explores a broken protocol and wants a certain complaint.
func caught(t *testing.T, r Rules, want string) {
	t.Helper()
	found, err := Explore(worlds["one decky that changes twice"], r, limit)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(found.Wrong, want) {
		t.Fatalf("found %q, not %q", found.Wrong, want)
	}
	t.Logf("%s, after %d worlds:\n%s", found.Wrong, found.Worlds, strings.Join(found.Trace, "\n"))
}

func TestDeletingBeforeTheEchoLoses(t *testing.T) { caught(t, Rules{DeleteBeforeAck: true}, "lost") }

func TestWritingWithoutAFenceHasTwoOwners(t *testing.T) {
	caught(t, Rules{NoFence: true}, "two owners")
}

func TestPublishingBeforeTheCommitAnnouncesWhatNeverWas(t *testing.T) {
	caught(t, Rules{PublishBeforeCommit: true}, "never committed")
}

func TestSendingTheNextBeforeTheEchoOvertakes(t *testing.T) {
	caught(t, Rules{Overtake: true}, "overtook")
}
