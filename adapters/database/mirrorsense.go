package database

import (
	"encoding/json"
	"fmt"

	"github.com/decnet/decnet-fleetd/adapters/panics"
	"github.com/decnet/decnet-fleetd/messages"
)

// meaning is what one shipped transition or row says, without what the table says.
type meaning struct {
	t   messages.Transition // of an event
	row mirrorState         // zero for an event without one: it is gone
	why string              // it is refused for what it is
}

// sense is what a delivery says.
type sense struct{ events, rows []meaning }

// Understand reads what takes time to read in a batch: before its turn in a transaction, side by side with others. Mirror
// does so itself with what comes to it without.
func (db *DB) Understand(d messages.Delivery) messages.Delivery {
	d.Read = db.sense(d)
	return d
}

func (db *DB) understood(deliveries []messages.Delivery) []sense {
	out := make([]sense, len(deliveries))
	for i, d := range deliveries {
		var is bool
		if out[i], is = d.Read.(sense); !is {
			out[i] = db.sense(d)
		}
	}
	return out
}

func (db *DB) sense(d messages.Delivery) (x sense) {
	for _, e := range d.Batch.Events {
		x.events = append(x.events, guarded(func() (m meaning) {
			if e.Row != nil {
				m = db.meaning(d.HostUUID, *e.Row)
			}
			m.t = transitionOf(e)
			return m
		}))
	}
	if s := d.Batch.Slice; s != nil {
		for _, r := range s.Rows {
			x.rows = append(x.rows, guarded(func() meaning { return db.meaning(d.HostUUID, r) }))
		}
	}
	return x
}

// guarded refuses the one transition or row that the program fails to read: it would fail over it again and again.
func guarded(read func() meaning) (m meaning) {
	defer func() {
		if why := recover(); why != nil {
			m = meaning{why: fmt.Sprintf("the hub fails to read it, a bug to report: panic at %s: %v", panics.Site(), why)}
		}
	}()
	return read()
}

func (db *DB) meaning(host string, r messages.ShippedRow) meaning {
	if bad := checkName(r.Name); bad != "" {
		return meaning{why: "its name " + bad}
	}
	s, err := shippedState(host, r, db.cfg.Rehome)
	if err != nil {
		return meaning{row: s, why: fmt.Sprintf("its configuration: %v", err)}
	}
	return meaning{row: s}
}

func transitionOf(e messages.Shipped) (t messages.Transition) {
	_ = json.Unmarshal(e.Payload, &t) // one that cannot be read is no word, and refused
	return t
}
