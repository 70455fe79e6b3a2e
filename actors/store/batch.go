package store

import "github.com/decnet/decnet-fleetd/messages"

// MaxBatch is how many rows go into one transaction. Source: measured, 128 rows take about 10 ms and keep DECNET's own
// writes below 14 ms at p99; 512 make them wait.
const MaxBatch = 128

// orders is what is wanted of the table: at most one change a decky, in the order in which deckies first asked.
type orders struct {
	byName map[string]messages.RowChange
	queue  []string
	urgent int // of byName, those that are not patient
}

func newOrders() *orders { return &orders{byName: map[string]messages.RowChange{}} }

// put takes an order in; it replaces an earlier one of the same decky.
func (o *orders) put(c messages.RowChange) {
	if _, waiting := o.byName[c.Name]; !waiting {
		o.tidy()
		o.queue = append(o.queue, c.Name)
	}
	o.set(c)
}

func (o *orders) set(c messages.RowChange) {
	o.drop(c.Name)
	if o.byName[c.Name] = c; !c.Patient {
		o.urgent++
	}
}

func (o *orders) drop(name string) {
	if c, waiting := o.byName[name]; waiting && !c.Patient {
		o.urgent--
	}
	delete(o.byName, name)
}

// tidy drops what was withdrawn from the queue when that is most of it.
func (o *orders) tidy() {
	if len(o.queue) <= 2*len(o.byName)+MaxBatch {
		return
	}
	kept, seen := make([]string, 0, len(o.byName)), make(map[string]bool, len(o.byName))
	for _, name := range o.queue {
		if _, waiting := o.byName[name]; waiting && !seen[name] {
			kept, seen[name] = append(kept, name), true
		}
	}
	o.queue = kept
}

// putBack returns orders of a batch that failed; what was ordered since stays, it is better.
func (o *orders) putBack(batch []messages.RowChange) {
	front := make([]string, 0, len(batch)+len(o.queue))
	for _, c := range batch {
		if _, better := o.byName[c.Name]; !better {
			o.set(c)
			front = append(front, c.Name)
		}
	}
	o.queue = append(front, o.queue...)
}

// withdraw takes an order back that has not begun.
func (o *orders) withdraw(name string, seq uint64) bool {
	if c, waiting := o.byName[name]; !waiting || c.Seq != seq {
		return false
	}
	o.drop(name)
	return true
}

// take removes and returns the next batch: inserts first, as the reference does, then deletes, then updates.
func (o *orders) take() []messages.RowChange {
	var batch []messages.RowChange
	n := 0
	for _, name := range o.queue {
		if len(batch) == MaxBatch {
			break
		}
		n++
		if c, waiting := o.byName[name]; waiting {
			batch = append(batch, c)
			o.drop(name)
		}
	}
	o.queue = append([]string(nil), o.queue[n:]...)
	return sorted(batch)
}

func sorted(batch []messages.RowChange) []messages.RowChange {
	out := make([]messages.RowChange, 0, len(batch))
	for _, kind := range []messages.ChangeKind{messages.InsertRow, messages.DeleteRow, messages.UpdateRow} {
		for _, c := range batch {
			if c.Kind == kind {
				out = append(out, c)
			}
		}
	}
	return out
}

func (o *orders) len() int { return len(o.byName) }
