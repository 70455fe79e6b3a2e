package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of what members tell of their deckies: a hostile one must not fill the memory of its hub.
const (
	maxNodeList = 64 << 20 // bytes. Source: 65,536 deckies, the most a state file may have
	maxNodeRows = 1 << 16
	askAtOnce   = 8 // members. Chosen: a hundred that answer in 20 ms take a quarter of a second
)

// nodeList is what one member last told of its deckies.
type nodeList struct {
	tag    string
	items  []messages.DeckyStatus
	at     messages.Moment // of the last answer
	why    string          // it did not answer at the last look
	tried  time.Time
	asking chan struct{} // closed when nobody asks
}

// allDeckies are those of this host, and on a hub those of every member: as it tells them itself, else as the hub has
// recorded them, else as it told them last. What a member tells is about itself, whatever it says.
func (s *Server) allDeckies(ctx context.Context) ([]messages.DeckyStatus, []NodePart, error) {
	known, err := ask[[]messages.DeckyStatus](ctx, s, messages.GetDeckies{}, answerWait)
	if err != nil || !s.hub() {
		return known, nil, err
	}
	if ctx.Value(aloneKey{}) != nil {
		return byHost(known)[s.cfg.Node], nil, nil
	}
	members, err := s.members(ctx)
	if err != nil {
		return known, nil, nil // a hub that has no list of its members still has what it knows
	}
	recorded := byHost(known)
	if rows := sum(members); len(recorded) == 0 || rows <= manyRows {
		s.refresh(ctx, members)
	}
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	all, parts := []messages.DeckyStatus{}, make([]NodePart, 0, len(members))
	for _, m := range members {
		items, why := s.partOf(m, recorded[m.HostUUID])
		all = append(all, items...)
		parts = append(parts, NodePart{HostUUID: m.HostUUID, Name: m.Name, Status: m.Status, Items: len(items), Why: why})
	}
	slices.SortStableFunc(all, func(a, b messages.DeckyStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Node, b.Node))
	})
	return all, parts, nil
}

// manyRows is from how many deckies on a list is made of what the hub has recorded. Chosen: what some MiB of JSON hold.
const manyRows = 5000

func sum(members []messages.Member) int {
	n := 0
	for _, m := range members {
		n += m.Deckies
	}
	return n
}

func byHost(all []messages.DeckyStatus) map[string][]messages.DeckyStatus {
	out := map[string][]messages.DeckyStatus{}
	for _, d := range all {
		out[d.HostUUID] = append(out[d.HostUUID], d)
	}
	return out
}

// partOf is what there is to show of one member.
func (s *Server) partOf(m messages.Member, recorded []messages.DeckyStatus) (items []messages.DeckyStatus, why string) {
	l := s.roster.lists[m.HostUUID]
	switch {
	case m.HostUUID == s.cfg.Node:
		return called(recorded, m.Name, false), ""
	case l != nil && l.why == "":
		return l.items, ""
	case len(recorded) > 0:
		err := reachable(m, s.cfg.Now())
		if err != nil {
			why = err.Error()
		}
		if l != nil {
			recorded = detailed(recorded, l.items)
		}
		return called(recorded, m.Name, err != nil), why
	case l != nil:
		return called(l.items, m.Name, true), l.why
	}
	return nil, ""
}

// detailed puts what a member told of its deckies in the place of what is recorded, where both say the same: it is more.
func detailed(recorded, told []messages.DeckyStatus) []messages.DeckyStatus {
	of := make(map[string]messages.DeckyStatus, len(told))
	for _, d := range told {
		of[d.Name] = d
	}
	out := slices.Clone(recorded)
	for i, d := range out {
		if t, known := of[d.Name]; known && t.State == d.State {
			out[i] = t
		}
	}
	return out
}

// called copies deckies and says whose they are.
func called(items []messages.DeckyStatus, node string, stale bool) []messages.DeckyStatus {
	out := slices.Clone(items)
	for i := range out {
		out[i].Node, out[i].Stale = node, stale
	}
	return out
}

// Times of a list made of many. Chosen: below what a person notices; one host that hangs must not hold the others up.
const (
	gatherWait = 400 * time.Millisecond
	againAway  = 3 * time.Second // before one that did not answer is asked again
)

// refresh asks the members whose lists are older than a moment, and waits a moment for their answers. What comes later is
// in the next list.
func (s *Server) refresh(ctx context.Context, members []messages.Member) {
	late := time.NewTimer(gatherWait)
	defer late.Stop()
	for _, m := range members {
		if m.HostUUID == s.cfg.Node {
			continue
		}
		select {
		case <-s.look(m): //nolint:contextcheck // the answer is for everybody: it outlives who asked first
		case <-late.C:
			late.Reset(0)
		case <-ctx.Done():
		}
	}
}

// look asks a member for its list where it is time to. What it gives is closed when the answer is there.
func (s *Server) look(m messages.Member) <-chan struct{} {
	c := &s.roster
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lists[m.HostUUID]
	if l == nil {
		l = &nodeList{why: "it has not answered yet", asking: make(chan struct{})}
		close(l.asking)
		if c.lists == nil {
			c.lists = map[string]*nodeList{}
		}
		c.lists[m.HostUUID] = l
	}
	life := memberLife
	if l.why != "" {
		life = againAway
	}
	select {
	case <-l.asking: // nobody asks
	default:
		return l.asking
	}
	now := s.cfg.Now()
	if err := reachable(m, now); err != nil {
		l.why = err.Error()
		l.tried = time.Time{} // asked as soon as it is back
		return l.asking
	}
	if !l.tried.IsZero() && now.Sub(l.tried) < life {
		return l.asking
	}
	l.tried, l.asking = now, make(chan struct{})
	done := l.asking
	s.cfg.Spawn(func() {
		defer close(done)
		s.listOf(m)
	})
	return done
}

// listOf asks one member for its deckies. It does not repeat what it has told.
func (s *Server) listOf(m messages.Member) {
	s.asking <- struct{}{}
	defer func() { <-s.asking }()
	ctx, cancel := context.WithTimeout(context.Background(), answerWait)
	defer cancel()
	s.cfg.Spawn(func() {
		select {
		case <-s.gone:
			cancel()
		case <-ctx.Done():
		}
	})
	was := s.knownList(m.HostUUID)
	got, err := s.fetchList(ctx, m, was.tag)
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	l := s.roster.lists[m.HostUUID]
	if err != nil && !errors.Is(err, errSame) {
		l.why = err.Error()
		return
	}
	if err == nil {
		l.tag, l.items = got.tag, got.items
	}
	l.why, l.at.Time = "", s.cfg.Now()
}

func (s *Server) knownList(host string) nodeList {
	s.roster.mu.Lock()
	defer s.roster.mu.Unlock()
	if l := s.roster.lists[host]; l != nil {
		return *l
	}
	return nodeList{}
}

// errSame: the member has nothing new to tell.
var errSame = errors.New("not modified")

func (s *Server) fetchList(ctx context.Context, m messages.Member, tag string) (nodeList, error) {
	header := http.Header{"Accept": {"application/json"}}
	if tag != "" {
		header.Set("If-None-Match", tag)
	}
	// All readers of this hub share the list, so that it is asked for with the role of one who looks.
	got, err := s.askMember(ctx, m, Caller{UID: -1, User: "hub", Role: ReadOnly, Via: "api"}, nodeRequest{http.MethodGet, "/v1/deckies", nil, header})
	if err != nil {
		return nodeList{}, err
	}
	defer func() { _ = got.Body.Close() }() // it was only read
	switch got.StatusCode {
	case http.StatusNotModified:
		return nodeList{}, errSame
	case http.StatusOK:
	default:
		return nodeList{}, fmt.Errorf("%s answers %d", m.Name, got.StatusCode)
	}
	var list DeckyList
	if err := json.NewDecoder(io.LimitReader(got.Body, maxNodeList)).Decode(&list); err != nil {
		return nodeList{}, fmt.Errorf("the list of %s cannot be read: %w", m.Name, err)
	}
	list.Items = list.Items[:min(len(list.Items), maxNodeRows)]
	for i := range list.Items {
		list.Items[i].HostUUID, list.Items[i].Node, list.Items[i].Stale = m.HostUUID, m.Name, false
	}
	return nodeList{tag: got.Header.Get("Etag"), items: list.Items}, nil
}

// lastKnown is what a member told last of one decky, and how many seconds ago.
func (s *Server) lastKnown(id string) (d messages.DeckyStatus, ago float64, known bool) {
	host, name, _ := strings.Cut(id, ":")
	l := s.knownList(host)
	for _, d := range l.items {
		if d.Name == name {
			d.Stale = true
			return d, s.cfg.Now().Sub(l.at.Time).Seconds(), true
		}
	}
	return d, 0, false
}
