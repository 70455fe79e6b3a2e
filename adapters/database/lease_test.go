package database

import (
	"errors"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestALeaseIsTakenOnlyAsItWasSeen(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		ctx := t.Context()
		second := w.openDB(func(c *Config) { c.Instance, c.BootID, c.StateDir = "i2", "b2", "/s2" })
		seen, err := second.Look(ctx)
		want := messages.Lease{Held: true, Token: 1, Owner: "i1", BootID: "b1", StateDir: "/s", Beat: 1}
		if err != nil || seen != want {
			t.Fatalf("%+v (%v)", seen, err)
		}
		if err := w.db.Beat(ctx, w.token); err != nil {
			t.Fatal(err)
		}
		if _, err := second.Take(ctx, seen); !errors.Is(err, messages.ErrLeaseMoved) {
			t.Errorf("a beat was overlooked: %v", err)
		}
		if seen, err = second.Look(ctx); err != nil || seen.Beat != 2 {
			t.Errorf("%+v (%v)", seen, err)
		}
		w.one(w.insert("d", messages.Running)) // a write is a beat too
		if _, err := second.Take(ctx, seen); !errors.Is(err, messages.ErrLeaseMoved) {
			t.Errorf("a write was overlooked: %v", err)
		}
		if err := w.db.Release(ctx, w.token); err != nil {
			t.Fatal(err)
		}
		if seen, err = second.Look(ctx); err != nil || !seen.Held || seen.Owner != "" {
			t.Errorf("%+v (%v)", seen, err)
		}
		took, err := second.Take(ctx, seen)
		if err != nil || took.Token != 2 || took.Owner != "i2" {
			t.Fatalf("%+v (%v)", took, err)
		}
		if seen, err = w.db.Look(ctx); err != nil || seen != took {
			t.Errorf("looked %+v, took %+v (%v)", seen, took, err)
		}
		if err := w.db.Beat(ctx, w.token); !errors.Is(err, messages.ErrFenced) {
			t.Errorf("the old owner beats: %v", err)
		}
	})
}

func TestOnlyOneTakesAFreshLease(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		mustExec(t, w.other, "DELETE FROM fleetd_lease")
		seen, err := w.db.Look(t.Context())
		if err != nil || seen.Held {
			t.Fatalf("%+v (%v)", seen, err)
		}
		if _, err := w.db.Take(t.Context(), seen); err != nil {
			t.Fatal(err)
		}
		if _, err := w.openDB().Take(t.Context(), seen); !errors.Is(err, messages.ErrLeaseMoved) {
			t.Errorf("error %v", err)
		}
	})
}

func TestLeasesOfTwoHostsAreTwo(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		other := w.openDB(func(c *Config) { c.HostUUID = "5f0c" })
		seen, err := other.Look(t.Context())
		if err != nil || seen.Held {
			t.Fatalf("%+v (%v)", seen, err)
		}
		l, err := other.Take(t.Context(), seen)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(other.Beat(t.Context(), l.Token), w.db.Beat(t.Context(), w.token)); err != nil {
			t.Error(err)
		}
	})
}
