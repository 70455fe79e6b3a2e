package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Check says everything that is wrong with a history; nothing is a history without fault.
func Check(e Evidence) (Counts, []string) {
	c := &checker{Evidence: e, byID: map[string]Committed{}, first: map[string]string{}, last: map[string]Payload{}, wrong: []string{}}
	c.ledger()
	for _, a := range e.Arrived {
		c.counts.Received++
		c.arrived(a)
	}
	c.lost()
	c.final()
	c.foreign()
	c.counts.Committed, c.counts.Distinct = int64(len(e.Ledger)), int64(len(c.first))
	return c.counts, c.wrong
}

type checker struct {
	Evidence
	counts Counts
	wrong  []string
	byID   map[string]Committed
	first  map[string]string  // by event id: the content at its first arrival
	last   map[string]Payload // by decky: the newest that arrived for the first time
}

func (c *checker) fault(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// ledger checks the database with itself: revisions without a gap from 1 on, ids used once, the product's own count equal.
func (c *checker) ledger() {
	revs, ids := map[string]int64{}, map[string]string{}
	for _, t := range c.Ledger {
		if t.Rev != revs[t.Name]+1 {
			c.fault("%s: committed revision %d after %d", t.Name, t.Rev, revs[t.Name])
		}
		if _, used := c.byID[t.EventID]; used {
			c.fault("%s: event id %s was committed twice", t.Name, t.EventID)
		}
		revs[t.Name], ids[t.Name], c.byID[t.EventID] = t.Rev, t.EventID, t
	}
	if !maps.Equal(revs, c.Revs) {
		c.fault("revisions: committed were %v, the product counts %v", revs, c.Revs)
	}
	if !maps.Equal(ids, c.LastIDs) {
		c.fault("the product's last event ids are not those of the last commits")
	}
}

// arrived checks one event: it must be one that was committed, unchanged, and the next of its decky or a repetition.
func (c *checker) arrived(a Arrival) {
	var p Payload
	if err := json.Unmarshal(a.Payload, &p); err != nil {
		c.fault("undecodable event on %s: %.200s", a.Topic, a.Payload)
		return
	}
	if _, ours := c.Truth[p.Name]; !ours || p.HostUUID != c.Host || p.Source != "fleet" || a.Topic != "decky."+c.Host+":"+p.Name+".state" {
		c.fault("foreign event on %s: %.200s", a.Topic, a.Payload)
		return
	}
	t, known := c.byID[p.EventID]
	if !known || t.Name != p.Name || t.Rev != p.Rev || t.Topic != a.Topic || !same(a.Payload, []byte(t.Payload)) {
		c.fault("%s revision %d: the event is not what was committed: %.300s", p.Name, p.Rev, a.Payload)
		return
	}
	if content, again := c.first[p.EventID]; again {
		c.counts.Duplicates++
		if content != string(a.Payload) {
			c.fault("%s revision %d was repeated with another content", p.Name, p.Rev)
		}
		return
	}
	c.first[p.EventID] = string(a.Payload)
	c.follows(p)
}

// follows checks that an event that arrives for the first time is the next of its decky.
func (c *checker) follows(p Payload) {
	before := c.last[p.Name]
	if p.Rev != before.Rev+1 {
		c.fault("%s: revision %d arrived after %d", p.Name, p.Rev, before.Rev)
	}
	if p.Transition == "state_changed" && p.PreviousState != before.State && p.Rev == before.Rev+1 {
		c.fault("%s revision %d: from %q, but the event before said %q", p.Name, p.Rev, p.PreviousState, before.State)
	}
	if p.Rev > before.Rev {
		c.last[p.Name] = p
	}
}

func (c *checker) lost() {
	for _, t := range c.Ledger {
		if _, came := c.first[t.EventID]; !came {
			c.counts.Lost++
			c.fault("%s revision %d (%s) was committed and never received", t.Name, t.Rev, t.EventID)
		}
	}
}

// final checks that containers, table and last event agree on every decky.
func (c *checker) final() {
	for _, name := range slices.Sorted(maps.Keys(c.Truth)) {
		truth, last := c.Truth[name], c.last[name]
		row, there := c.Rows[name]
		switch {
		case truth != "" && (row != truth || last.State != truth || last.Transition == "deleted"):
			c.fault("%s: the containers say %q, the row %q, the last event %s %q", name, truth, row, last.Transition, last.State)
		case truth == "" && (there || last.Rev > 0 && last.Transition != "deleted"):
			c.fault("%s: must be gone, the row says %q, the last event %s %q", name, row, last.Transition, last.State)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Rows)) {
		if _, ours := c.Truth[name]; !ours {
			c.fault("%s: a row of a decky that nobody declared", name)
		}
	}
}

// foreign checks that no row of another host was written, made or removed.
func (c *checker) foreign() {
	for key, before := range c.Others {
		if now, there := c.OthersNow[key]; !there || now != before {
			c.fault("%s: the row of another host was %q, now %q", key, before, now)
		}
	}
	for key := range c.OthersNow {
		if _, before := c.Others[key]; !before {
			c.fault("%s: a row of another host that nobody put there", key)
		}
	}
}

// same says whether two JSON texts have the same content; a bus may write them anew.
func same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := canonical(a)
	y, errY := canonical(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func canonical(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v) // with sorted keys
}
