package pulse

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// greet sends a heartbeat over a fresh link: what was said before it stood is lost.
func (p *Pulse) greet(c *supervise.Ctx) {
	now := c.Now()
	if !p.owner || p.greeting.After(now) {
		return // one is due already
	}
	at := now
	if soonest := p.greeting.Add(readyEvery); soonest.After(now) {
		at = soonest
	}
	p.next()
	p.greeting, p.next = at, c.After(at.Sub(now), beatDue{})
}

// beat gathers what the heartbeat says and makes the next one due.
func (p *Pulse) beat(c *supervise.Ctx) {
	p.next()
	if !p.owner {
		return
	}
	p.next = c.After(p.cfg.Every, beatDue{})
	if p.asking {
		return // the one that is waiting goes in a moment
	}
	p.asking = true
	view := p.cfg.View
	c.Go("heartbeat", func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, statusPatience)
		defer cancel()
		answer, err := view.Ask(ctx, messages.GetStatus{})
		status, ok := answer.(messages.Status)
		if err != nil || !ok {
			status = messages.Status{} // a heartbeat without counts is better than none
		}
		c.After(0, counted{status}) // unlike a Tell it is never refused, and there is one at a time
	})
}

func (p *Pulse) send(c *supervise.Ctx, status messages.Status) {
	p.asking = false
	if !p.owner {
		return
	}
	payload, err := p.payload(c.Now(), status)
	if err != nil {
		c.Log().Error().Err(err).Msg("heartbeat cannot be encoded")
		return
	}
	// Refused or without a link it is lost: another one comes.
	p.cfg.Publisher.Tell(messages.PublishNow{Topic: messages.HealthTopic, Type: messages.HealthType, Payload: payload})
}

// payload is the heartbeat. worker and ts come first and ts is a number with a decimal point: DECNET's worker registry
// reads them, and another type of ts ends it until the API is started anew. All other keys are shown as they are.
func (p *Pulse) payload(now time.Time, status messages.Status) ([]byte, error) {
	b := []byte(`{"worker":"` + messages.WorkerName + `","ts":` + seconds(now))
	var err error
	add := func(key string, value any) {
		if err != nil {
			return
		}
		var v, k []byte
		if k, err = encode(key); err == nil {
			if v, err = encode(value); err == nil {
				b = append(append(append(append(b, ','), k...), ':'), v...)
			}
		}
	}
	own := []string{"worker", "ts", "instance", "version", "host_uuid", "deckies", "held", "outbox_depth"}
	add("instance", p.cfg.Instance)
	add("version", p.cfg.Version)
	add("host_uuid", p.cfg.HostUUID)
	if status.Deckies != nil {
		add("deckies", status.Deckies)
		add("held", len(status.Held))
		add("outbox_depth", status.OutboxDepth)
	}
	if p.cfg.Extra != nil {
		extra := p.cfg.Extra()
		for _, key := range slices.Sorted(maps.Keys(extra)) {
			if !slices.Contains(own, key) {
				add(key, extra[key])
			}
		}
	}
	return append(b, '}'), err
}

// encode is JSON without HTML escapes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

func seconds(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', 6, 64) }
