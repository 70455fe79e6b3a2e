package fleet

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// GuardPolicy says how many rows may go at once without a witness. New completes a zero Floor with the policy of the daemon.
type GuardPolicy struct {
	// Floor and Share: up to max(Floor, Share × rows) deletions within Window need no witness. 3 and 0.25: taking down
	// single deckies stays instant, and the silent fleet wipe DECNET once had would have been stopped.
	Floor  int
	Share  float64
	Window time.Duration
	// Reads and Over: an unwitnessed set is released by Reads identical readings over at least Over, and approval.
	Reads int
	Over  time.Duration
}

// wave is what the guard looks at: the deletions wanted now, and what speaks for or against them.
type wave struct {
	wanted   []string // names, sorted
	done     int      // deletions within the window
	rows     int      // rows of this host before any of them
	missing  bool     // the whole file is gone
	docker   bool     // Docker is up and its list complete
	serviced []string // those of wanted that still have a service container
	reads    int      // identical readings in a row
	since    time.Time
	approved bool // an operator approved every one of them
	released bool // and an earlier ruling released them for it: what is left of the set needs no readings of its own
	now      time.Time
}

// ruling is the guard's verdict on a wave.
type ruling struct {
	granted  bool
	approved bool // granted because an operator approved it
	why      string
	hash     string
}

// guard rules on a wave of deletions.
func guard(w wave, p GuardPolicy) ruling {
	limit := max(p.Floor, int(p.Share*float64(w.rows)))
	if !w.missing && len(w.wanted)+w.done <= limit {
		return ruling{granted: true}
	}
	if w.docker && len(w.serviced) == 0 {
		return ruling{granted: true}
	}
	h := setHash(w.wanted)
	if w.approved && (w.released || w.reads >= p.Reads && w.now.Sub(w.since) >= p.Over) {
		return ruling{granted: true, approved: true, hash: h}
	}
	return ruling{why: objection(w), hash: h}
}

func objection(w wave) string {
	what := "so many rows are to be deleted at once"
	if w.missing {
		what = "the state file is missing"
	}
	if !w.docker {
		return what + " and Docker cannot bear witness"
	}
	return what + " and containers are still there: " + firstFew(w.serviced)
}

// firstFew names at most three: the rest is in the list of deckies.
func firstFew(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// setHash identifies a set of names: 12 hex digits, enough to copy by hand and too many to meet by chance.
func setHash(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	sum := sha256.Sum256([]byte(strings.Join(names, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// redeploying says whether so many deckies lost containers by removal that a compose down must be under way.
// Source: DECNET's CLI redeploy leaves no other trace; 25 % but at least 4, so that taking down single ones never holds.
func redeploying(lost, deckies int) bool {
	return lost >= 4 && lost*4 > deckies
}

func permit(r ruling) messages.DeletePermitted {
	return messages.DeletePermitted{Granted: r.granted, Why: r.why, Hash: r.hash}
}
