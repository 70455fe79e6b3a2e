package fabric

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
)

// answer is the body of a worker's answer.
type answer struct {
	l    *lane
	id   uint64
	c    *call
	ctx  context.Context //nolint:containedctx // of the request; the body ends with it
	rest bytes.Reader
	read uint64 // parts
	err  error  // after rest
	once sync.Once
}

func (a *answer) next() (part, error) {
	select { // what has come is read before the end is seen
	case p := <-a.c.parts:
		return p, nil
	default:
	}
	select {
	case p := <-a.c.parts:
		return p, nil
	case <-a.c.gone:
		return part{}, a.c.why
	case <-a.ctx.Done():
		return part{}, a.ctx.Err()
	}
}

func (a *answer) take(p part) {
	a.rest.Reset(p.data)
	a.read++
	switch {
	case p.head.N != a.read-1:
		a.rest.Reset(nil)
		a.err = errors.New("fabric: a part of the answer was lost")
	case p.head.Broken != "":
		a.err = errors.New("fabric: the answer broke off: " + quoted(p.head.Broken))
	case p.head.End:
		a.err = io.EOF
	default:
		a.l.say(kindFlow, flowFrame{ID: a.id, More: 1})
	}
}

// Read implements io.Reader.
func (a *answer) Read(b []byte) (int, error) {
	for a.rest.Len() == 0 {
		if a.err != nil {
			return 0, a.err
		}
		p, err := a.next()
		if err != nil {
			a.err = err
			return 0, err
		}
		a.take(p)
	}
	return a.rest.Read(b)
}

// Close implements io.Closer. The worker stops answering.
func (a *answer) Close() error {
	a.once.Do(func() {
		a.l.calls.finish(a.id)
		if !errors.Is(a.err, io.EOF) {
			a.l.say(kindFlow, flowFrame{ID: a.id, Stop: true})
		}
	})
	return nil
}
