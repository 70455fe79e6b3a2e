package swarm

import (
	"cmp"
	"encoding/json"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// lookEvery is how often silence is judged. Chosen: a twelfth of the shortest.
	lookEvery = 250 * time.Millisecond
	// nap is how long the members may get no message before it is this process that stood still. Chosen: they look four times
	// meanwhile.
	nap = 4 * lookEvery
	// sayEvery is how often the health of each host is published although it has not changed: what was said while a bus
	// was away is lost. Source: the pace of heartbeats.
	sayEvery = 30 * time.Second
)

// look judges everybody, and tells what is due.
func (m *Members) look(c *supervise.Ctx) {
	c.After(lookEvery, messages.Tick{Name: "look"})
	if peers := m.cfg.Peers(); peers != nil {
		enrolled := map[string]bool{}
		for _, p := range peers {
			enrolled[p.HostUUID] = true
			x := m.of(p.HostUUID)
			x.peer, x.enrolled = p, true
			if !p.LastContact.Equal(x.contact) {
				x.contact, x.heardAt = p.LastContact.Time, c.Now()
			}
		}
		for _, host := range m.roster.hosts() {
			m.of(host) // rows of a host that is enrolled no longer
		}
		for host, x := range m.all {
			if x.enrolled = enrolled[host]; !x.enrolled && len(m.roster.rows[host]) == 0 {
				delete(m.all, host)
				continue
			}
			m.judge(c, host, x)
		}
	}
	if c.Now().Sub(m.saidAt) >= sayEvery {
		m.saidAt = c.Now()
		for host, x := range m.all {
			m.publish(host, x, x.status)
		}
	}
}

// judge says how a host is doing, and tells when that changes.
func (m *Members) judge(c *supervise.Ctx, host string, x *member) {
	was := x.status
	x.status = judge(signs{enrolled: x.enrolled || x.peer.Connected, heard: !x.heardAt.IsZero(), left: x.left, silent: c.Now().Sub(x.heardAt)})
	if was == x.status {
		return
	}
	x.since = messages.Moment{Time: c.Now()}
	if !newsworthy(was, x.status) {
		return
	}
	name := nameOf(host, x)
	c.Log().Info().Str("member", name).Str("host", host).Str("from", string(was)).Str("to", string(x.status)).Str("reason", x.why).Msg("member changed")
	m.cfg.View.Tell(messages.EventHappened{Event: messages.Event{At: x.since, Type: "member", Target: name, From: string(was), To: wordOf(was, x.status), Cause: x.why, Node: name}})
	m.publish(host, x, was)
}

func (m *Members) publish(host string, x *member, was messages.MemberStatus) {
	if x.status == "" {
		return
	}
	payload, err := json.Marshal(messages.MemberHealth{HostUUID: host, Name: nameOf(host, x), Status: x.status, Previous: was, Since: x.since,
		LastContact: x.peer.LastContact, Deckies: len(m.roster.rows[host]), Why: x.why, Source: "fleet", By: m.cfg.Instance})
	if err == nil {
		m.cfg.Publisher.Tell(messages.PublishNow{Topic: messages.MemberTopic(host), Type: messages.HealthType, Payload: payload})
	}
}

func nameOf(host string, x *member) string { return cmp.Or(x.peer.Name, host) }

// wake lets the time in which this process stood still, as in a paused machine, be nobody's silence.
func (m *Members) wake(now time.Time) {
	slept := now.Sub(m.awake)
	if m.awake = now; slept < nap {
		return
	}
	for _, x := range m.all {
		if !x.heardAt.IsZero() {
			x.heardAt = x.heardAt.Add(slept)
		}
	}
}
