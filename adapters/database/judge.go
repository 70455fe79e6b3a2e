package database

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// situation is what the transaction found about the row a change is for.
type situation struct {
	done  bool   // the change's event was committed by an earlier attempt whose answer was lost
	there bool   // the row is there
	state string // and has this state
	twin  string // another host has a row of the name, or one that the column's collation takes for it
	held  bool   // an open operation of DECNET forbids it
}

// judge says what becomes of a change. What differs from the expectation is told before what holds: whoever expects
// something else decides anew.
func judge(c messages.RowChange, s situation) messages.Outcome {
	switch {
	case s.done:
		return messages.Committed
	case c.Kind == messages.InsertRow && s.there:
		return messages.Refused
	case c.Kind != messages.InsertRow && (!s.there || s.state != c.Prev):
		return messages.Refused
	case c.Kind == messages.InsertRow && s.twin != "":
		return messages.Twinned
	case s.held:
		return messages.HeldBack
	}
	return messages.Committed
}

// holdable says that an operation of DECNET may forbid the change: it takes containers down and brings them up again,
// rows go before the file does. What only corrects the configuration is never held.
func holdable(c messages.RowChange) bool {
	switch c.Kind {
	case messages.InsertRow:
		return c.Vanished
	case messages.UpdateRow:
		return c.SetState
	case messages.DeleteRow:
		return true
	}
	return false
}

// holding gives the operations that forbid a change at the moment now: a deploy those of the whole host, for compose
// takes the whole project down, a mutate those of its decky.
func holding(c messages.RowChange, open []messages.Hold, now time.Time) []messages.Hold {
	if !holdable(c) {
		return nil
	}
	var found []messages.Hold
	for _, h := range open {
		if now.Before(h.Until) && (h.Operation == "deploy" || h.Decky == c.Name) {
			found = append(found, h)
		}
	}
	return found
}
