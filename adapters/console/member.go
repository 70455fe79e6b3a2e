package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// errTwoHosts: a name of a host that was enrolled anew may have rows of the old one left.
var errTwoHosts = errors.New("two hosts have that name")

// awayError is a member that cannot be asked, with what to do about it.
type awayError struct{ text, hint string }

// Error says how the member is.
func (e *awayError) Error() string { return e.text }

// Unwrap makes it an ErrAway.
func (e *awayError) Unwrap() error { return ErrAway }

// memberLife is how long the list of members is believed. Chosen: below what a person notices; statuses change in seconds.
const memberLife = time.Second

// roster remembers the members, and what each told last of its deckies.
type roster struct {
	mu      sync.Mutex
	at      time.Time
	members []messages.Member
	lists   map[string]*nodeList
}

// members are the hosts of the cluster as they were a moment ago at most.
func (s *Server) members(ctx context.Context) ([]messages.Member, error) {
	c, now := &s.roster, s.cfg.Now()
	c.mu.Lock()
	if !c.at.IsZero() && now.Sub(c.at) < memberLife {
		defer c.mu.Unlock()
		return c.members, nil
	}
	c.mu.Unlock()
	all, err := ask[[]messages.Member](ctx, s, messages.GetMembers{}, answerWait)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members, c.at = all, now
	return all, nil
}

// hub says whether there are other hosts that can be asked.
func (s *Server) hub() bool { return s.cfg.AskMember != nil }

// member finds a host by its name or its uuid. This one needs no cluster.
func (s *Server) member(ctx context.Context, host string) (messages.Member, error) {
	if host == s.cfg.Node {
		return messages.Member{HostUUID: s.cfg.Node, Name: s.nodeName(ctx)}, nil
	}
	all, err := s.members(ctx)
	if err != nil {
		return messages.Member{}, err
	}
	m, err := find(all, host)
	if err == nil && m.HostUUID != s.cfg.Node && !s.hub() {
		err = messages.ErrNotHub
	}
	return m, err
}

// find prefers hosts that are enrolled to those of which rows are left.
func find(all []messages.Member, host string) (messages.Member, error) {
	var found, gone []messages.Member
	for _, m := range all {
		switch {
		case m.HostUUID == host:
			return m, nil
		case m.Name != host:
		case m.Status == messages.MemberGone:
			gone = append(gone, m)
		default:
			found = append(found, m)
		}
	}
	if len(found) == 0 {
		found = gone
	}
	switch len(found) {
	case 0:
		return messages.Member{}, fmt.Errorf("%q: %w", clipped(host, 64), messages.ErrNoSuchHost)
	case 1:
		return found[0], nil
	}
	return messages.Member{}, fmt.Errorf("%q: %w", clipped(host, 64), errTwoHosts)
}

// nodeName is how this host is called in the cluster.
func (s *Server) nodeName(ctx context.Context) string {
	if s.hub() {
		if all, err := s.members(ctx); err == nil {
			for _, m := range all {
				if m.HostUUID == s.cfg.Node {
					return m.Name
				}
			}
		}
	}
	return s.cfg.Node
}

// reachable says why a member cannot be asked; nil if it can.
func reachable(m messages.Member, now time.Time) error {
	ago := "it has not been heard of"
	if !m.LastContact.IsZero() {
		ago = "it was last heard " + now.Sub(m.LastContact.Time).Round(time.Second).String() + " ago"
	}
	text := ""
	switch m.Status {
	case messages.MemberStale:
		text = m.Name + " is stale: " + ago
	case messages.MemberLeft:
		text = m.Name + " has left the cluster"
	case messages.MemberNever:
		text = m.Name + " has not connected since this hub started"
	case messages.MemberGone:
		text = m.Name + " is no longer enrolled; rows of it are left"
	case messages.MemberUp, messages.MemberSuspect:
	}
	if text == "" {
		return nil
	}
	if m.Why != "" && m.Status != messages.MemberLeft && m.Status != messages.MemberGone { // those two say it themselves
		text += " (" + m.Why + ")"
	}
	return &awayError{text, awayHint(m)}
}

func awayHint(m messages.Member) string {
	switch m.Status {
	case messages.MemberLeft:
		return "start it again there: systemctl restart decnet-fleetd"
	case messages.MemberGone:
		return "decnet-fleetd cluster forget " + m.Name + " removes its rows, or enrol it again in DECNET"
	case messages.MemberNever:
		return "start it there (systemctl start decnet-fleetd); if it runs, its log says why it is not let in, and decnet-fleetd audit here"
	case messages.MemberStale, messages.MemberUp, messages.MemberSuspect:
	}
	return "look there: systemctl status decnet-fleetd, and whether it reaches this hub; decnet-fleetd cluster members shows when it is back"
}

// hostOf is the host that an event of a decky is about; "" for others.
func hostOf(e messages.Event) string {
	rest, is := strings.CutPrefix(e.Topic, "decky.")
	host, _, whole := strings.Cut(rest, ":")
	if !is || !whole {
		return ""
	}
	return host
}

// named says in events which host they are about. On a host that is no hub there is one only.
func (s *Server) named(ctx context.Context, events []messages.Event) []messages.Event {
	if !s.hub() || len(events) == 0 {
		return events
	}
	names := map[string]string{}
	all, err := s.members(ctx)
	if err != nil {
		return events // they are shown without it
	}
	for _, m := range all {
		names[m.HostUUID] = m.Name
	}
	out := make([]messages.Event, len(events))
	for i, e := range events {
		if e.Node == "" {
			e.Node = names[hostOf(e)]
		}
		out[i] = e
	}
	return out
}
