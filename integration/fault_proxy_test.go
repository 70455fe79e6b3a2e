package integration

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/integration/faultproxy"
	"github.com/decnet/decnet-fleetd/integration/history"
)

// wholeFrames cuts a stream into frames of the bus.
func wholeFrames(data []byte, _ bool) (int, []byte, error) {
	i := bytes.IndexByte(data, '\n')
	if i < 0 || len(data) < i+5 {
		return 0, nil, nil
	}
	n := i + 5 + int(binary.BigEndian.Uint32(data[i+1:i+5]))
	if len(data) < n {
		return 0, nil, nil
	}
	return n, data[:n], nil
}

// proxied is a victim one of whose connections can be spoiled.
type proxied struct {
	*victim
	proxy *faultproxy.Proxy
}

func onSocket(t *testing.T, v *victim, name string, split func([]byte, bool) (int, []byte, error)) *proxied {
	t.Helper()
	return &proxied{v, v.beforeSocket(name, split)}
}

func onServer(t *testing.T, v *victim) *proxied {
	t.Helper()
	return &proxied{v, v.beforeServer()}
}

// beforeSocket moves a socket of the stage aside and stands in its place.
func (s *stage) beforeSocket(name string, split func([]byte, bool) (int, []byte, error)) *faultproxy.Proxy {
	s.t.Helper()
	must(s.t, os.Rename(s.path(name), s.path("real-"+name)))
	p, err := faultproxy.Listen(s.t.Context(), "unix", s.path(name), s.path("real-"+name), split)
	must(s.t, err)
	s.t.Cleanup(func() { _ = p.Close() })
	return p
}

// beforeServer stands between a daemon that starts from now on and its database server.
func (s *stage) beforeServer() *faultproxy.Proxy {
	s.t.Helper()
	u, err := url.Parse(s.db.at)
	must(s.t, err)
	p, err := faultproxy.Listen(s.t.Context(), "tcp", "127.0.0.1:0", u.Host, nil)
	must(s.t, err)
	s.t.Cleanup(func() { _ = p.Close() })
	u.Host = p.Addr()
	s.db.at = u.String()
	return p
}

// suffers lets things happen under a fault for a while, takes it back, and asks the judge.
func (p *proxied) suffers(name string, f faultproxy.Faults, cut bool) {
	p.t.Helper()
	before := p.proxy.Chunks()
	p.proxy.Set(f)
	if cut {
		p.proxy.Cut()
	}
	met := int64(0)
	for range 10 { // a connection that was just refused is tried again after up to 5 s
		p.liveFor(time.Second)
		if met = p.proxy.Chunks() - before; met > 0 || f.Refuse {
			break
		}
	}
	p.proxy.Set(faultproxy.Faults{})
	p.judged(2*soon, "after "+name)
	if met == 0 && !f.Refuse {
		p.t.Errorf("%s: the fault met nothing", name)
	}
	for _, c := range p.evidence().Ledger {
		if kind := history.Kind(c.Payload); strings.HasPrefix(kind, "state_changed") && kind != "state_changed running" && kind != "state_changed failed" {
			p.t.Fatalf("%s made a state that no container ever had: %s", name, c.Payload)
		}
	}
}

type (
	fault  = faultproxy.Fault
	faults = map[string]faultproxy.Faults
)

// everywhere are the faults that every connection must take.
func everywhere() faults {
	return faults{
		"delay":                    {ToServer: fault{Delay: 100 * time.Millisecond}, ToClient: fault{Delay: 100 * time.Millisecond}},
		"hang to the server":       {ToServer: fault{Hang: true}},
		"hang to the client":       {ToClient: fault{Hang: true}},
		"half-open":                {ToClient: fault{Swallow: true}},
		"cut mid-chunk":            {ToClient: fault{CutAfter: 100}},
		"request cut in its midst": {ToServer: fault{CutAfter: 100}},
		"answers truncated":        {ToClient: fault{Truncate: 40}},
		"slow reader":              {ToClient: fault{Rate: 2000}},
		"garbage":                  {Answer: "\x00\xff\xfe garbage\n\x7f\xff\xff\xff"},
		"refused":                  {Refuse: true},
	}
}

// spoiled suffers one fault after the other. The file stays as it is: deletions come more often than the guard lets go
// (TestTheFourthDeletionOfAMinuteIsHeldShownAndReleasedByTime).
func (p *proxied) spoiled(all faults, names []string) {
	p.t.Helper()
	p.fixed = true
	p.again()
	p.judged(soon, "before any fault")
	for _, name := range names {
		if f := all[name]; !p.t.Failed() {
			p.suffers(name, f, f.Answer != "" || f.Refuse || f.ToClient.CutAfter > 0 || f.ToServer.CutAfter > 0)
		}
	}
}

// lanes has each fault met in one of so many stages beside each other.
func lanes(t *testing.T, n int, all faults, stand func(*testing.T, uint64) *proxied) {
	t.Helper()
	names := slices.Sorted(maps.Keys(all))
	for lane := range n {
		var mine []string
		for i := lane; i < len(names); i += n {
			mine = append(mine, names[i])
		}
		t.Run(fmt.Sprintf("lane %d", lane+1), func(t *testing.T) {
			t.Parallel()
			stand(t, uint64(10+lane)).spoiled(all, mine) //nolint:gosec // a small number
		})
	}
}

// TestNoFaultOnTheWayToTheEngineMakesAState: a list that is cut, late, garbled, of another kind or answered with 500 says
// nothing about any container; afterwards the list decides.
func TestNoFaultOnTheWayToTheEngineMakesAState(t *testing.T) {
	t.Parallel()
	const answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
	all := everywhere()
	all["500"] = faultproxy.Faults{Answer: "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"message\":\"no\"}\n"}
	all["null instead of a list"] = faultproxy.Faults{Answer: answer + "4\r\n\r\nnull"}
	all["an object instead of a list"] = faultproxy.Faults{Answer: answer + "2\r\n\r\n{}"}
	all["a list cut in its midst"] = faultproxy.Faults{Answer: answer + "400\r\n\r\n[{\"Id\":\"0123\",\"Names\":[\"/v1-ssh\"]"}
	all["a state that is null"] = faultproxy.Faults{Answer: answer + "52\r\n\r\n[{\"Id\":\"0123\",\"Names\":[\"/v1-ssh\"],\"State\":null    }]"}
	lanes(t, 4, all, func(t *testing.T, seed uint64) *proxied {
		return onSocket(t, newVictim(t, &onSQLite, seed), "docker.sock", nil)
	})
}

// TestNoFaultOnTheWayToTheBusLosesAnEvent: a bus that loses, repeats, mixes up, stalls, cuts or echoes nothing delays. What goes
// to the bus are whole frames, so that drop, duplicate and reorder are a bus that loses, repeats and mixes up.
func TestNoFaultOnTheWayToTheBusLosesAnEvent(t *testing.T) {
	t.Parallel()
	all := everywhere()
	all["drop"] = faultproxy.Faults{ToServer: fault{Drop: 3}}
	all["duplicate"] = faultproxy.Faults{ToServer: fault{Duplicate: 2}}
	all["reorder"] = faultproxy.Faults{ToServer: fault{Reorder: 2}}
	all["never echoed"] = faultproxy.Faults{ToServer: fault{Swallow: true}}
	lanes(t, 4, all, func(t *testing.T, seed uint64) *proxied {
		return onSocket(t, newVictim(t, &onSQLite, seed), "bus.sock", wholeFrames)
	})
}

// TestNoFaultOnTheWayToTheDatabaseLosesOrRepeatsACommit: whatever becomes of a statement or of its answer, the transition
// is committed once and told.
func TestNoFaultOnTheWayToTheDatabaseLosesOrRepeatsACommit(t *testing.T) {
	for _, d := range []*dbms{&onPostgres, &onMariaDB} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, d, 13)
			all := everywhere()
			onServer(t, v).spoiled(all, slices.Sorted(maps.Keys(all)))
		})
	}
}
