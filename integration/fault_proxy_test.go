package integration

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/integration/faultproxy"
	"github.com/decnet/decnet-fleetd/integration/history"
)

// proxied is a victim one of whose connections can be spoiled.
type proxied struct {
	*victim
	proxy *faultproxy.Proxy
}

// onServer stands between the daemon and its database server.
func onServer(t *testing.T, v *victim) *proxied {
	t.Helper()
	u, err := url.Parse(v.db.at)
	must(t, err)
	p, err := faultproxy.Listen(t.Context(), "tcp", "127.0.0.1:0", u.Host, nil)
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	u.Host = p.Addr()
	v.db.at = u.String()
	return &proxied{v, p}
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
	for range 4 { // a connection that was just refused is tried again after up to 5 s
		p.liveFor(2500 * time.Millisecond)
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

// spoiled are the faults of both directions that every connection must take.
func (p *proxied) spoiled() {
	p.t.Helper()
	p.fixed = true
	type fault = faultproxy.Fault
	all := map[string]faultproxy.Faults{
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
	for name, f := range all {
		if p.t.Failed() {
			return
		}
		p.suffers(name, f, f.Answer != "" || f.Refuse || f.ToClient.CutAfter > 0 || f.ToServer.CutAfter > 0)
	}
}

// TestNoFaultOnTheWayToTheDatabaseLosesOrRepeatsACommit: whatever becomes of a statement or of its answer, the transition
// is committed once and told.
func TestNoFaultOnTheWayToTheDatabaseLosesOrRepeatsACommit(t *testing.T) {
	for _, d := range []*dbms{&onPostgres, &onMariaDB} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			v := newVictim(t, d, 13)
			p := onServer(t, v)
			v.again()
			v.judged(soon, "before any fault")
			p.spoiled()
		})
	}
}
