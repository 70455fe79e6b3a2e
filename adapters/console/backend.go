package console

import (
	"context"

	"github.com/decnet/decnet-fleetd/messages"
)

// Backend answers questions: messages.GetStatus with a messages.Status, messages.GetDeckies with a
// []messages.DeckyStatus, messages.GetPass with a messages.PassReport. It is called from many goroutines at once and
// returns when ctx ends.
type Backend interface {
	Ask(ctx context.Context, question any) (any, error)
}

// API is the version of everything the socket says. Fields are only ever added to a version.
const API = "v1"

// Envelope says what a document is.
type Envelope struct {
	API  string `json:"api"`  // "v1"
	Kind string `json:"kind"` // status, deckies, decky, events, reconcile
}

// StatusReply answers GET /v1/status.
type StatusReply struct {
	Envelope
	messages.Status
}

// DeckyReply answers GET /v1/deckies/{host}:{name}.
type DeckyReply struct {
	Envelope
	messages.DeckyStatus
}

// DeckyList answers GET /v1/deckies. Every event up to Seq is contained in it, later ones may be.
type DeckyList struct {
	Envelope
	Items []messages.DeckyStatus `json:"items"`
	Seq   int64                  `json:"seq"`
	Nodes []NodePart             `json:"nodes,omitempty"` // the hosts it is made of, where a hub answers
}

// NodePart says what one host of a cluster had to say for a list.
type NodePart struct {
	HostUUID string                `json:"host_uuid"`
	Name     string                `json:"name"`
	Status   messages.MemberStatus `json:"status"`
	Items    int                   `json:"items"`
	Why      string                `json:"why,omitempty"` // it did not answer: its items are what it said last, or missing
}

// EventList answers GET /v1/events.
type EventList struct {
	Envelope
	Items []messages.Event `json:"items"`
	Seq   int64            `json:"seq"`            // of the newest event there is
	More  bool             `json:"more,omitempty"` // the limit cut the page: ask again since the last item's seq
	Gap   bool             `json:"gap,omitempty"`  // events after since are no longer kept
}

// PassReply answers POST /v1/reconcile.
type PassReply struct {
	Envelope
	messages.PassReport
}

// PassRequest is the body of POST /v1/reconcile; an empty body is its zero value.
type PassRequest struct {
	DryRun bool `json:"dry_run"`
}

// whole makes the lists of an answer non-nil: an empty list is [] in JSON, never null.
func whole[T any](lists ...*[]T) {
	for _, l := range lists {
		if *l == nil {
			*l = []T{}
		}
	}
}

func wholeStatus(s messages.Status) messages.Status {
	whole(&s.Components)
	whole(&s.Rejected)
	whole(&s.Held)
	whole(&s.Warnings)
	if s.Deckies == nil {
		s.Deckies = map[string]int{}
	}
	if s.Counters == nil {
		s.Counters = map[string]int64{}
	}
	return s
}

func wholeDecky(d messages.DeckyStatus) messages.DeckyStatus {
	whole(&d.Expected)
	whole(&d.Services)
	return d
}

// Whole gives a report whose empty lists are [] in JSON, for a pass that was made without a daemon.
func Whole(p messages.PassReport) messages.PassReport {
	whole(&p.Plan)
	whole(&p.Held)
	whole(&p.Faults)
	return p
}
