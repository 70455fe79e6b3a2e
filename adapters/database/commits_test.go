package database

import (
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestOurOwnWritesCauseNoCompleteRead(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.foreign("local", "a", "running")
	_, seen, err := w.db.readAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changed := func() bool {
		t.Helper()
		c, err := w.db.changed(t.Context(), &seen)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	state := messages.Running
	for range 3 {
		w.now = w.now.Add(time.Second)
		w.apply(w.update("a", string(state), messages.Failed))
		state = messages.Failed
		if err := w.db.Beat(t.Context(), w.token); err != nil {
			t.Fatal(err)
		}
		if changed() {
			t.Fatal("what we wrote ourselves looks like somebody else's change")
		}
	}
	w.foreign("5f0c", "x", "running") // another host's: a commit, but none of our rows
	if !changed() {
		t.Error("after a foreign commit the rows are not looked at: ours have changed too since they were read")
	}
	if _, seen, err = w.db.readAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.foreign("5f0c", "y", "running")
	for range 2 { // the second time nobody has committed since
		if changed() {
			t.Error("another host's row looks like a change of ours")
		}
	}
	w.foreign("local", "c", "running")
	if !changed() {
		t.Error("a foreign row is not seen")
	}
}
