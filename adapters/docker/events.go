package docker

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// Actions of events, as Docker names them, and the cause of a reading that no event is behind.
const (
	actionStart   = "start"
	actionDestroy = "destroy"
	actionDie     = "die"
	actionPause   = "pause"
	actionUnpause = "unpause"
	actionHealth  = "health_status"
	causeRelist   = "relist"
)

// wanted is what is subscribed: everything that changes what a list says. Every stop and kill that works is followed
// by a die, so they would only double the traffic.
var (
	wantedArray = [...]string{"create", actionStart, actionDie, actionPause, actionUnpause, actionDestroy, "rename", actionHealth}
	wanted      = wantedArray[:]
)

// maxEvent bounds one event. Source: its labels are bounded by what the engine accepts; 1 MiB is the largest body a
// healthy client sends it.
const maxEvent = 1 << 20

// event is what matters of one message of the stream.
type event struct {
	kind, action, id string
	at               int64
	container        messages.Container // for destroy
}

// reader decodes the event stream. It is used by one goroutine.
type reader struct {
	scan  scanner
	words words
	marks marks
	name  []byte
}

// next reads one event; it waits as long as the engine is silent.
func (r *reader) next() (event, error) {
	s := &r.scan
	s.left = maxEvent
	r.marks.reset()
	r.name = r.name[:0]
	var e event
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "Type":
			e.kind = r.words.of(s.str(maxState))
		case "Action":
			e.action = r.words.of(action(s.str(maxText)))
		case "Actor":
			r.actor(&e)
		case "timeNano":
			e.at = s.number()
		default:
			s.skip()
		}
	}
	if s.err != nil {
		return event{}, s.err
	}
	if e.action == actionDestroy {
		e.container = messages.Container{ID: e.id, Name: string(r.name)}
		r.marks.put(&e.container, &r.words)
	}
	return e, nil
}

// action cuts the result off "health_status: healthy".
func action(a []byte) []byte {
	if i := slices.Index(a, ':'); i >= 0 {
		return a[:i]
	}
	return a
}

func (r *reader) actor(e *event) {
	s := &r.scan
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "ID":
			if id := s.str(maxID + 1); usableID(id) {
				e.id = string(id)
			}
		case "Attributes":
			if !s.null() {
				r.attributes()
			}
		default:
			s.skip()
		}
	}
}

func (r *reader) attributes() {
	s := &r.scan
	for s.open('{'); s.more('}'); {
		if key := s.key(); string(key) == "name" {
			r.name = append(r.name[:0], s.str(maxText)...)
		} else {
			r.marks.label(s, key)
		}
	}
}

// follow reads the stream to its end into d, and says why it ended. It never waits for anything but the engine.
func follow(ctx context.Context, stream io.Reader, d *dirt, c *counters) error {
	var r reader
	r.scan.reset(stream, maxEvent)
	for {
		e, err := r.next()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("read the event stream: %w", err)
		}
		c.events.Add(1)
		if i := slices.Index(wanted, e.action); e.kind == "container" && e.id != "" && i >= 0 {
			c.types[i].Add(1)
			e.container.Name = strings.TrimPrefix(e.container.Name, "/")
			d.event(e)
		}
	}
}
