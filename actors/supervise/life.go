package supervise

import (
	"context"
	"sync"
	"time"
)

// life is one incarnation: what ends with it. Its lock is needed because goroutines, timers and questions outlive the
// handler that made them.
type life struct {
	ctx    Ctx // the one that handlers of plain messages get
	number uint32
	born   int64 // on the coarse clock

	mu     sync.Mutex
	over   bool
	guests map[*guest]struct{} // goroutines of Ctx.Go that run
	owed   map[*call]struct{}  // questions handed out and not answered
	empty  func()              // called once, when it is over and the last guest has left
}

// guest is a goroutine of an incarnation.
type guest struct{ cancel context.CancelFunc }

func newLife(r *Ref, number uint32, born int64) *life {
	l := &life{number: number, born: born}
	l.ctx = Ctx{ref: r, life: l}
	return l
}

// age is how long it has lived at now.
func (l *life) age(now int64) time.Duration { return time.Duration(now - l.born) }

func (l *life) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// enter admits a goroutine; false if the incarnation has ended.
func (l *life) enter(g *guest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	if l.guests == nil {
		l.guests = map[*guest]struct{}{}
	}
	l.guests[g] = struct{}{}
	return true
}

func (l *life) leave(g *guest) {
	l.mu.Lock()
	delete(l.guests, g)
	empty := l.emptied()
	l.mu.Unlock()
	if empty != nil {
		empty()
	}
}

// end ends the contexts of the goroutines and answers why to every open question.
func (l *life) end(why error) {
	l.mu.Lock()
	l.over = true
	owed := l.owed
	l.owed = nil
	for g := range l.guests {
		g.cancel() // does not block, and calls nothing of ours
	}
	l.mu.Unlock()
	for c := range owed {
		c.answer(nil, why)
	}
}

// whenEmpty calls f when the last goroutine of the ended incarnation has left, perhaps at once.
func (l *life) whenEmpty(f func()) {
	l.mu.Lock()
	l.empty = f
	empty := l.emptied()
	l.mu.Unlock()
	if empty != nil {
		empty()
	}
}

func (l *life) emptied() func() {
	if !l.over || len(l.guests) > 0 {
		return nil
	}
	f := l.empty
	l.empty = nil
	return f
}

// owe notes that a handler has the question.
func (l *life) owe(c *call) {
	l.mu.Lock()
	over := l.over
	if l.owed == nil {
		l.owed = map[*call]struct{}{}
	}
	l.owed[c] = struct{}{}
	l.mu.Unlock()
	c.with.Store(l)
	if over { // abandoned between taking the question and handling it
		c.answer(nil, ErrCrashed)
	}
	if c.closed.Load() { // the asker left before it could see with
		l.forget(c)
	}
}

func (l *life) forget(c *call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.owed, c)
}

// pay answers a question. Once the incarnation has ended every question it had is answered already, so an abandoned
// handler that wakes up is not heard.
func (l *life) pay(c *call, msg any) {
	l.forget(c)
	c.answer(msg, nil)
}
