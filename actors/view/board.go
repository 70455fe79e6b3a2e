package view

import (
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Board shows the status as the view last put it there. Reading it waits for nobody, so that a scrape is answered by a
// daemon whose view is stuck too. The zero value is empty.
type Board struct {
	v atomic.Pointer[messages.Status]
}

// Status is the status at most postEvery old, or older where the view is stuck; false: none was put there yet. Whoever
// reads it changes nothing in it.
func (b *Board) Status() (messages.Status, bool) {
	if s := b.v.Load(); s != nil {
		return *s, true
	}
	return messages.Status{}, false
}

// postEvery bounds how often the status is put on the board. Source: 10,000 deckies take a millisecond to count.
const postEvery = 250 * time.Millisecond

// posts has the status put on the board soon, once for many changes. Questions change nothing.
func (v *View) posts(c *supervise.Ctx, msg any) {
	switch msg.(type) {
	case messages.GetStatus, messages.GetDeckies, messages.Tick, supervise.Stopping:
		return
	}
	if v.cfg.Board != nil && !v.posting {
		v.posting = true
		c.After(postEvery, messages.Tick{Name: "post"})
	}
}

func (v *View) post(c *supervise.Ctx) {
	v.posting = false
	s := v.status(c.Now())
	v.cfg.Board.v.Store(&s)
}
