package main

import (
	"bytes"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// What may be logged of one kind in one window. Chosen: ten lines show what happens, and a hostile container that makes
// us say the same for ever fills 60 lines a minute.
const (
	limitWindow  = 10 * time.Second
	limitPerKey  = 10   // lines of one message about one thing
	limitPerText = 1000 // lines of one message, about whatever: a fleet that flips at once is in the list of events
	limitKeys    = 1024 // keys that are remembered; those beyond share one
)

// limiter bounds the lines of each kind. Its key is what cannot be made up from outside: the message, which is constant,
// and the decky, the component or the actor it is about. Lines below info are there because somebody asked for them, and pass.
type limiter struct {
	now  func() time.Time
	tell func(of, subject string, suppressed int) // writes the line that stands for those that were suppressed

	mu    sync.Mutex
	kinds map[lineKind]*quota
	swept time.Time
}

type lineKind struct{ message, subject string }

type quota struct {
	since      time.Time
	said, lost int
}

// missed is what a window swallowed.
type missed struct {
	kind lineKind
	lost int
}

func newLimiter(now func() time.Time, tell func(of, subject string, suppressed int)) *limiter {
	return &limiter{now: now, tell: tell, kinds: map[lineKind]*quota{}}
}

// allows says whether a line may be written.
func (l *limiter) allows(level zerolog.Level, line []byte) bool {
	if level < zerolog.InfoLevel {
		return true
	}
	l.sweep()
	kind := lineKind{member(line, `"message":"`), subject(line)}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if !l.take(kind, limitPerKey, now) {
		return false
	}
	return kind.subject == "" || l.take(lineKind{message: kind.message, subject: everything}, limitPerText, now)
}

// everything is no subject: it has a control byte.
const everything = "\x00"

func (l *limiter) take(kind lineKind, most int, now time.Time) bool {
	q := l.kinds[kind]
	if q == nil {
		if len(l.kinds) >= limitKeys {
			kind = lineKind{}
			q = l.kinds[kind]
		}
		if q == nil {
			q = &quota{since: now}
			l.kinds[kind] = q
		}
	}
	if q.said == most {
		q.lost++
		return false
	}
	q.said++
	return true
}

// sweep ends the windows that are over and tells what they swallowed.
func (l *limiter) sweep() {
	for _, m := range l.ended(l.now()) {
		about := m.kind.subject
		if about == everything {
			about = ""
		}
		l.tell(m.kind.message, about, m.lost)
	}
}

func (l *limiter) ended(now time.Time) []missed {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.swept) < time.Second {
		return nil
	}
	l.swept = now
	var out []missed
	for kind, q := range l.kinds {
		if now.Sub(q.since) < limitWindow {
			continue
		}
		if q.lost > 0 {
			out = append(out, missed{kind, q.lost})
		}
		delete(l.kinds, kind)
	}
	return out
}

// subject is what a line is about: a decky, else a component, else an actor.
func subject(line []byte) string {
	for _, start := range []string{`"decky":"`, `"component":"`, `"actor":"`} {
		if s := member(line, start); s != "" {
			return s
		}
	}
	return ""
}

// member reads the text of a member of a line of JSON. What comes from outside cannot look like one: its quotes are
// escaped.
func member(line []byte, start string) string {
	_, after, found := bytes.Cut(line, []byte(start))
	if !found {
		return ""
	}
	for end := 0; end < len(after); end++ {
		switch after[end] {
		case '\\':
			end++
		case '"':
			return string(after[:end])
		}
	}
	return ""
}
