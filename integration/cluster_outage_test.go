package integration

import (
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/integration/faultproxy"
)

// TestAHubWithoutItsDatabaseOrBusLosesNothingOfItsWorkers: what workers ship meanwhile waits with them, they are heard all the
// time and go on with their own hosts, and afterwards everything is in the hub's table and on its bus, once and in order.
func TestAHubWithoutItsDatabaseOrBusLosesNothingOfItsWorkers(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		s := newSwarm(t, d, 2, 2)
		bus := s.beforeSocket("bus.sock", wholeFrames)
		outages := s.outagesOfItsDatabase()
		outages["its bus refused"] = behind(bus, faultproxy.Faults{Refuse: true}, true)
		outages["its bus that takes and echoes nothing"] = behind(bus, faultproxy.Faults{ToServer: fault{Swallow: true}}, false)
		s.hub()
		for _, w := range s.workers {
			w.join()
		}
		s.judged(soon, "after the start")
		began := time.Now()
		for what, away := range outages {
			back := away()
			for range 4 {
				for _, w := range s.workers {
					w.flip(w.names[0])
					w.flip(w.names[1])
				}
				s.gap(2500 * time.Millisecond)
				for _, w := range s.workers {
					eventually(t, prompt, func() error { return w.own(w.names[1]) })
				}
			}
			back()
			s.judged(2*soon, "after "+what)
		}
		for _, w := range s.workers {
			if n := s.silences(w, began); n > 0 {
				t.Errorf("%d alarms about %s, which was there all the time", n, w.name)
			}
		}
	})
}

// outagesOfItsDatabase are ways in which the hub's database may be away. Each begins when it is called, and returns what ends it.
func (s *swarm) outagesOfItsDatabase() map[string]func() (back func()) {
	s.t.Helper()
	if s.d.service == "" {
		return map[string]func() func(){"its database locked": func() func() { return s.db.lock(s.t) }}
	}
	p := s.beforeServer()
	return map[string]func() func(){
		"its database refused":    behind(p, faultproxy.Faults{Refuse: true}, true),
		"its database hanging":    behind(p, faultproxy.Faults{ToServer: fault{Hang: true}}, false),
		"its database half-open":  behind(p, faultproxy.Faults{ToClient: fault{Swallow: true}}, false),
		"its database cut midway": behind(p, faultproxy.Faults{ToClient: fault{CutAfter: 100}}, true),
	}
}

// behind is an outage on the way through a proxy.
func behind(p *faultproxy.Proxy, f faultproxy.Faults, cut bool) func() func() {
	return func() func() {
		p.Set(f)
		if cut {
			p.Cut()
		}
		return func() { p.Set(faultproxy.Faults{}) }
	}
}
