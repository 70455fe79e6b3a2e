package fabric

import (
	"fmt"
	"sync"
)

// calls are the requests of the hub to one worker that are not answered to the end.
type calls struct {
	mu   sync.Mutex
	next uint64
	open map[uint64]*call
}

type call struct {
	parts chan part // never more than window in it, if the worker keeps to it
	gone  chan struct{}
	once  sync.Once
	why   error // of gone
}

type part struct {
	head partFrame
	data []byte
}

func (c *call) end(why error) {
	c.once.Do(func() {
		c.why = why
		close(c.gone)
	})
}

func (cs *calls) begin() (uint64, *call, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.open) >= maxCalls {
		return 0, nil, fmt.Errorf("%w: %d requests to this host are open", ErrBusy, maxCalls)
	}
	if cs.open == nil {
		cs.open = map[uint64]*call{}
	}
	cs.next++
	c := &call{parts: make(chan part, window), gone: make(chan struct{})}
	cs.open[cs.next] = c
	return cs.next, c, nil
}

func (cs *calls) finish(id uint64) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, id)
}

// fail ends all of them: the worker has gone.
func (cs *calls) fail() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for id, c := range cs.open {
		c.end(ErrAway)
		delete(cs.open, id)
	}
}

// part takes one frame of an answer. Those of calls that nobody waits for any more are passed over.
func (cs *calls) part(b []byte) error {
	head, data, err := split[partFrame](b)
	if err != nil {
		return err
	}
	cs.mu.Lock()
	c := cs.open[head.ID]
	cs.mu.Unlock()
	if c == nil {
		return nil
	}
	select {
	case c.parts <- part{head, data}:
		return nil
	default:
		c.end(fmt.Errorf("%w: more parts than were granted", errFrame))
		return c.why
	}
}
