package supervise

import (
	"context"
	"fmt"
	"sync/atomic"
)

// call is one question that somebody waits on. It is no hollywood process: those leak when nobody collects the answer
// and block whoever answers twice.
type call struct {
	reply  chan reply // room for one, so that answering never blocks
	done   atomic.Bool
	closed atomic.Bool          // the asker has left
	with   atomic.Pointer[life] // the incarnation that has it
}

type reply struct {
	msg any
	err error
}

// answer delivers the first answer and drops every other.
func (c *call) answer(msg any, err error) {
	if c.done.CompareAndSwap(false, true) {
		c.reply <- reply{msg, err}
	}
}

// leave makes the actor forget the question, so that one it never answers costs nothing.
func (c *call) leave() {
	c.closed.Store(true)
	if l := c.with.Load(); l != nil {
		l.forget(c)
	}
}

// Ask sends msg and waits for what the actor gives to Ctx.Respond. It ends with ctx, or after Policy.AskPatience if ctx
// has no deadline; at once with ErrFull, ErrQuarantined or ErrStopped if the message was not queued, and with ErrCrashed
// or ErrStopped if the incarnation that had the question ended. An actor must not call it in Receive: it blocks.
func (r *Ref) Ask(ctx context.Context, msg any) (any, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.sys.policy.AskPatience)
		defer cancel()
	}
	c := &call{reply: make(chan reply, 1)}
	defer c.leave()
	if err := r.post(letter{msg: msg, ask: c}); err != nil {
		return nil, fmt.Errorf("ask %s: %w", r.Name(), err)
	}
	select {
	case a := <-c.reply:
		if a.err != nil {
			return nil, fmt.Errorf("ask %s: %w", r.Name(), a.err)
		}
		return a.msg, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("ask %s: %w", r.Name(), ctx.Err())
	}
}

// deny answers why to everybody who asked one of the letters.
func deny(letters []letter, why error) {
	for _, l := range letters {
		if l.ask != nil {
			l.ask.answer(nil, why)
		}
	}
}
