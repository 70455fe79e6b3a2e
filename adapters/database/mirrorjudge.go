package database

import (
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// mirrored is what is known of one host's rows, and what becomes of them.
type mirrored struct {
	host    string
	was     map[string]mirrorState // as the transaction found them
	now     map[string]mirrorState // as they shall be; has all of was
	known   map[string]memo        // what the host reported
	fresh   map[string]bool        // memos to write
	touched map[string]int         // names to tell of: by which delivery
	left    bool                   // it is enrolled no longer: read for a Forget
}

// mirrorState is a row as its columns are written.
type mirrorState struct {
	there                 bool
	services, state       string
	config, ip, lastError *string
	lastSeen              *string // only of what is shipped
	cause                 string  // of its last transition, for the hub's own lists
}

// memo is a row of fleetd_mirror.
type memo struct {
	rev       int64
	last      string // event
	origin    string
	originRev int64
}

// verdict says what becomes of a shipped transition.
type verdict uint8

const (
	announce verdict = iota + 1
	repeated         // it is committed already
	silent           // nothing the table does not say already
	refused
)

// sight is what the judgement of one transition rests on.
type sight struct {
	known  bool // the host reported the row before
	memo   memo
	queued string // the event waits in the outbox: of this host; "" it does not
	host   string
	there  bool   // the row
	same   bool   // and it is as shipped
	twin   string // another host has a row of the name
}

// judgeShipped decides. A name that another host has is refused as long as this one has no row of it: DECNET's look-ups
// by name break on twins. A row that the host reported before and reports as new has lost its own memory.
func judgeShipped(origin string, e messages.Shipped, t messages.Transition, s sight) (verdict, string) {
	switch {
	case s.queued != "" && s.queued != s.host:
		return refused, "the event is another host's"
	case s.queued != "" || s.has(origin, e):
		return repeated, ""
	case !sane(e, t):
		return refused, "the transition makes no sense"
	case !s.there && s.twin != "":
		return refused, "another host has a decky of this name: " + s.twin
	case t.Transition == messages.TransitionInserted && s.there && s.known && s.same:
		return silent, ""
	}
	return announce, ""
}

// has says that the transition was committed before: it is the last of its decky, or of the same origin and no newer.
func (s sight) has(origin string, e messages.Shipped) bool {
	return s.known && (s.memo.last == e.EventID || origin != "" && s.memo.origin == origin && e.Rev <= s.memo.originRev)
}

func sane(e messages.Shipped, t messages.Transition) bool {
	return wordly(t.Transition) && len(t.State) <= 64 && len(t.PreviousState) <= 64 && e.Rev >= 1 && e.Rev <= maxRev
}

// maxRev keeps a worker from pushing a revision to where none can follow. Source: 2^53, the largest that JSON readers keep.
const maxRev = 1 << 53

// wordly: a transition is a word, maybe one that a newer worker knows.
func wordly(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// retold is how a transition is announced: by the columns we know, under the hub's revision.
func retold(host string, e messages.Shipped, t messages.Transition, rev int64) messages.Transition {
	t.HostUUID, t.Name, t.Source, t.Rev, t.EventID = host, e.Name, "fleet", rev, e.EventID
	t.Cause = clip(literal(t.Cause), maxWord)
	t.State, t.PreviousState = literal(t.State), literal(t.PreviousState)
	if len(t.Changed) > 16 {
		t.Changed = t.Changed[:16]
	}
	for i := range t.Changed {
		t.Changed[i] = clip(literal(t.Changed[i]), 64)
	}
	return t
}

// when is the row as a transition left it. What is shipped is the row as it is by now; of an error only that is known.
func (s mirrorState) when(t messages.Transition, have mirrorState) mirrorState {
	if s.state != t.State {
		s.state, s.lastError = t.State, have.lastError
	}
	return s
}

// insertedAgain is what an insertion of a row that is there already is told as.
func insertedAgain(t messages.Transition, have mirrorState) messages.Transition {
	t.Transition, t.PreviousState = messages.TransitionConfigChanged, ""
	if have.state != t.State {
		t.Transition, t.PreviousState = messages.TransitionStateChanged, have.state
	}
	return t
}

// sameAs compares what two rows mean.
func (s mirrorState) sameAs(b mirrorState, digest func(string) (string, error)) bool {
	return s.there == b.there && s.state == b.state && text(s.lastError) == text(b.lastError) && s.contentAs(b, digest)
}

func (s mirrorState) contentAs(b mirrorState, digest func(string) (string, error)) bool {
	return text(s.ip) == text(b.ip) && sameServices(s.services, b.services) && sameConfig(s.config, b.config, digest)
}

func sameServices(a, b string) bool {
	if a == b {
		return true
	}
	x, e1 := parseServices([]byte(a))
	y, e2 := parseServices([]byte(b))
	slices.Sort(x)
	slices.Sort(y)
	return e1 == nil && e2 == nil && slices.Equal(slices.Compact(x), slices.Compact(y))
}

func sameConfig(a, b *string, digest func(string) (string, error)) bool {
	if a == nil || b == nil || *a == *b {
		return text(a) == text(b)
	}
	x, e1 := digest(*a)
	y, e2 := digest(*b)
	return e1 == nil && e2 == nil && x == y
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// shown is the row as the hub keeps it in mind.
func (s mirrorState) shown(host, name string, m memo, at time.Time) messages.MirrorRow {
	return messages.MirrorRow{HostUUID: host, Name: name, State: s.state, Services: s.services, IP: text(s.ip), LastError: text(s.lastError),
		Rev: m.rev, Cause: s.cause, UpdatedAt: messages.Moment{Time: at}}
}

// shipped is a row as it was shipped, its host put into its configuration.
func shippedState(host string, r messages.ShippedRow, rehome func(string, string) (string, error)) (mirrorState, error) {
	s := mirrorState{there: true, services: literal(r.ServicesJSON), state: clip(literal(r.State), maxWord), ip: r.IP}
	if s.services == "" || len(s.services) > maxServices {
		s.services = "[]"
	}
	if r.ConfigJSON != nil {
		config, err := rehome(*r.ConfigJSON, host)
		if err != nil {
			return s, err
		}
		s.config = &config
	}
	if r.IP != nil {
		ip := clip(literal(*r.IP), maxWord)
		s.ip = &ip
	}
	if r.LastError != nil {
		s.lastError = orNull(clip(literal(*r.LastError), maxText))
	}
	if !r.LastSeen.IsZero() {
		seen := stamp(r.LastSeen.Time)
		s.lastSeen = &seen
	}
	return s, nil
}
