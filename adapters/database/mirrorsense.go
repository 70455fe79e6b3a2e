package database

import (
	"encoding/json"
	"fmt"

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

// understand reads everything in the deliveries that takes time to read.
func (db *DB) understand(deliveries []messages.Delivery) []sense {
	out := make([]sense, len(deliveries))
	for i, d := range deliveries {
		for _, e := range d.Batch.Events {
			m := meaning{}
			if e.Row != nil {
				m = db.meaning(d.HostUUID, *e.Row)
			}
			m.t = transitionOf(e)
			out[i].events = append(out[i].events, m)
		}
		if s := d.Batch.Slice; s != nil {
			for _, r := range s.Rows {
				out[i].rows = append(out[i].rows, db.meaning(d.HostUUID, r))
			}
		}
	}
	return out
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
