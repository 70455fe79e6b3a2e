package fabric

import (
	"crypto/x509"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// gate knows who is enrolled and who is connected. One lock covers both, so that a revocation cannot miss a connection
// that is just being admitted.
type gate struct {
	mu    sync.Mutex
	seats map[string]*seat  // by host
	byFP  map[string]*seat  // by fingerprint; revoked and barred ones stay in it
	was   map[string]string // fingerprint → host, of certificates that were enrolled once; bounded
	byCID map[uint64]*seat
}

// seat is the place of one enrolled host.
type seat struct {
	lane    *lane
	pin     messages.Pin
	revoked bool
	barred  time.Time // not admitted until then: it flooded
	live    presence
	peer    messages.Peer // what Peers shows, but for what lane counts
}

// presence is a connection; a zero cid is none.
type presence struct {
	cid      uint64
	fp       string
	instance string
	up       bool // it has said hello
	bye      bool // it has said goodbye
}

// maxFormer bounds the memory of certificates that were enrolled once. Chosen: it serves one word in the audit.
const maxFormer = 4096

// twinWindow is how long a host that was heard keeps another process of its identity out. Source: three missed beats.
const twinWindow = 3 * time.Second

func newGate() *gate {
	return &gate{seats: map[string]*seat{}, byFP: map[string]*seat{}, was: map[string]string{}, byCID: map[uint64]*seat{}}
}

// knows says why a certificate is not let in: "" if it is.
func (g *gate) knows(leaf *x509.Certificate, now time.Time) (reason, host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, reason := g.find(leaf, now)
	if s != nil {
		return reason, s.pin.HostUUID
	}
	return reason, g.was[Fingerprint(leaf)]
}

func (g *gate) find(leaf *x509.Certificate, now time.Time) (*seat, string) {
	fp := Fingerprint(leaf)
	s := g.byFP[fp]
	switch {
	case s != nil && s.revoked:
		return s, messages.RefusedDecommissioned
	case s != nil && now.Before(s.barred):
		return s, messages.RefusedFlood
	case s != nil:
		return s, ""
	}
	if host, once := g.was[fp]; once {
		if g.seats[host] != nil {
			return nil, messages.RefusedReplaced
		}
		return nil, messages.RefusedDecommissioned
	}
	for _, s := range g.seats {
		if s.pin.Name != "" && s.pin.Name == leaf.Subject.CommonName {
			return nil, messages.RefusedReplaced
		}
	}
	return nil, messages.RefusedUnknown
}

// admit gives a connection its host. The newest connection of a process wins: after a silent cut the old one is still
// open on this side. Another process of the same identity has to wait until the first is silent. old is a connection to
// cut; 0: none.
func (g *gate) admit(cid uint64, leaf *x509.Certificate, instance, remote string, now time.Time) (host, reason string, old uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, reason := g.find(leaf, now)
	if s == nil || reason != "" {
		return "", reason, 0
	}
	host = s.pin.HostUUID
	if s.live.cid != 0 && !s.live.bye && s.live.instance != instance && now.Sub(s.lane.heard()) < twinWindow {
		return host, messages.RefusedTwin, 0
	}
	old = s.live.cid
	delete(g.byCID, old)
	s.live = presence{cid: cid, fp: Fingerprint(leaf), instance: instance, up: s.live.up && s.live.instance == instance}
	g.byCID[cid] = s
	s.peer.Instance, s.peer.Remote, s.peer.CertExpires = instance, remote, messages.Moment{Time: leaf.NotAfter}
	return host, "", old
}

// left forgets a connection that ended. It gives false where another has taken its place or nobody knew it.
func (g *gate) left(cid uint64, now time.Time) (s *seat, was presence, is bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s = g.byCID[cid]
	if s == nil {
		return nil, presence{}, false
	}
	delete(g.byCID, cid)
	was, s.live = s.live, presence{}
	s.peer.Connected, s.peer.Since = false, messages.Moment{Time: now}
	return s, was, true
}

// change is what a new table of pins means for connections.
type change struct {
	cut  []uint64
	gone []*lane
}

// set makes pins the table. opened has a lane for each host that had none.
func (g *gate) set(pins []messages.Pin, opened map[string]*lane) change {
	g.mu.Lock()
	defer g.mu.Unlock()
	wanted := make(map[string]messages.Pin, len(pins))
	for _, p := range pins {
		wanted[p.HostUUID] = p
	}
	var c change
	for host, s := range g.seats {
		p, enrolled := wanted[host]
		if enrolled && p.Fingerprint == s.pin.Fingerprint {
			continue
		}
		g.former(s.pin)
		if s.live.cid != 0 {
			c.cut = append(c.cut, s.live.cid)
		}
		if !enrolled {
			c.gone = append(c.gone, s.lane)
			delete(g.seats, host)
		}
	}
	clear(g.byFP)
	for _, p := range pins {
		s := g.seats[p.HostUUID]
		if s == nil {
			s = &seat{lane: opened[p.HostUUID]}
			g.seats[p.HostUUID] = s
		}
		s.pin, s.peer.Pin, s.revoked = p, p, false
		g.byFP[p.Fingerprint] = s
		delete(g.was, p.Fingerprint)
	}
	return c
}

func (g *gate) former(p messages.Pin) {
	if len(g.was) >= maxFormer {
		clear(g.was)
	}
	g.was[p.Fingerprint] = p.HostUUID
}

// shut keeps a host out: for good (until the next set) or until a moment. It gives the connection to cut; 0: none.
func (g *gate) shut(host string, until time.Time) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.seats[host]
	if s == nil {
		return 0
	}
	if until.IsZero() {
		s.revoked = true
	} else {
		s.barred = until
	}
	return s.live.cid
}

func (g *gate) seat(host string) *seat {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.seats[host]
}

// connection is that of a host; 0: none.
func (g *gate) connection(host string) uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.seats[host]; s != nil {
		return s.live.cid
	}
	return 0
}

func (g *gate) hostOf(cid uint64) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.byCID[cid]; s != nil {
		return s.pin.HostUUID
	}
	return ""
}

// without names the hosts among pins that have no seat yet, connections the open ones.
func (g *gate) without(pins []messages.Pin) (hosts []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range pins {
		if g.seats[p.HostUUID] == nil {
			hosts = append(hosts, p.HostUUID)
		}
	}
	return hosts
}

func (g *gate) connections() (cids []uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for cid := range g.byCID {
		cids = append(cids, cid)
	}
	return cids
}
