package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// base is the hub's database in memory.
type base struct {
	mu    sync.Mutex
	token int64
	fail  error
	bug   map[string]error // by host
	slow  time.Duration
	calls [][]messages.Delivery
	read  []messages.MirrorRow
	ids   int64
}

func (b *base) Mirror(ctx context.Context, token int64, all []messages.Delivery) ([]messages.Delivered, time.Duration, error) {
	select {
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	case <-time.After(b.slow):
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return nil, 0, b.fail
	}
	if token != b.token {
		return nil, 0, messages.ErrFenced
	}
	b.calls = append(b.calls, all)
	out := make([]messages.Delivered, len(all))
	for i, d := range all {
		if out[i].Err = b.bug[d.HostUUID]; out[i].Err != nil {
			continue
		}
		for _, e := range d.Batch.Events {
			b.ids++
			out[i].Queued = append(out[i].Queued, messages.OutboxRow{ID: b.ids, EventID: e.EventID})
			out[i].Rows = append(out[i].Rows, messages.MirrorRow{HostUUID: d.HostUUID, Name: e.Name, State: "running"})
		}
	}
	return out, b.slow, nil
}

func (b *base) MirrorRead(context.Context) (messages.MirrorRead, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return messages.MirrorRead{Rows: slices.Clone(b.read)}, b.fail
}

func (b *base) set(f func()) { b.mu.Lock(); defer b.mu.Unlock(); f() }

type hub struct {
	db                            *base
	store, publisher, view, board *box
	ref                           *supervise.Ref
}

func newHub(sys *supervise.System) *hub {
	h := &hub{db: &base{token: 5}, store: &box{}, publisher: &box{}, view: &box{}, board: &box{}}
	h.ref = sys.Spawn(supervise.Spec{Kind: "swarm", ID: "mirror", New: func() supervise.Receiver {
		return NewMirror(MirrorConfig{Rows: h.db, Store: h.store, Publisher: h.publisher, View: h.view, Members: h.board})
	}})
	return h
}

func batch(host string, ids ...string) messages.Delivery {
	d := messages.Delivery{HostUUID: host}
	for _, id := range ids {
		d.Batch.Events = append(d.Batch.Events, messages.Shipped{EventID: id, Name: id})
	}
	return d
}

func part(id string, n int, last bool, names ...string) messages.Delivery {
	s := &messages.Slice{ID: id, Part: n, Last: last}
	for _, name := range names {
		s.Rows = append(s.Rows, messages.ShippedRow{Name: name})
	}
	return messages.Delivery{HostUUID: "a", Batch: messages.ShipBatch{Slice: s}}
}

func (h *hub) deliver(d messages.Delivery) error {
	a, err := h.ref.Ask(context.Background(), d)
	if e, is := a.(error); is {
		return e
	}
	return err
}

func TestAWorkerHearsOfItsBatchAfterTheCommitAndThePublisherBefore(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		h := newHub(sys)
		if err := h.deliver(batch("a", "e1")); !errors.Is(err, errNotOwner) {
			t.Errorf("before the lease: %v", err)
		}
		h.ref.Tell(messages.OwnershipChanged{Owner: true, Token: 5})
		if err := h.deliver(batch("a", "e1", "e2")); err != nil {
			t.Fatal(err)
		}
		if got := of[messages.OutboxAppended](h.publisher); len(got) != 1 || len(got[0].Rows) != 2 {
			t.Errorf("the publisher heard %+v", got)
		}
		if got := of[Mirrored](h.board); len(got) != 1 || got[0].HostUUID != "a" || len(got[0].Rows) != 2 {
			t.Errorf("the members heard %+v", got)
		}
		h.db.set(func() { h.db.fail = errors.New("disk full") })
		if err := h.deliver(batch("a", "e3")); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("an answer although nothing was committed: %v", err)
		}
		h.db.set(func() { h.db.fail = nil })
		pass(time.Second)
		h.db.set(func() { h.db.token = 6 })
		if err := h.deliver(batch("a", "e3")); !errors.Is(err, messages.ErrFenced) {
			t.Errorf("after the lease was lost: %v", err)
		}
		pass(time.Second)
		if err := h.deliver(batch("a", "e3")); !errors.Is(err, errNotOwner) {
			t.Errorf("as a standby: %v", err)
		}
	})
}

func TestWhatSeveralWorkersShipMeanwhileIsOneTransaction(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		h := newHub(sys)
		h.db.slow = 50 * time.Millisecond
		h.ref.Tell(messages.OwnershipChanged{Owner: true, Token: 5})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := h.deliver(batch(fmt.Sprint(i), fmt.Sprintf("e%d", i))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if n := len(h.db.calls); n != 2 || len(h.db.calls[1]) != 9 {
			t.Errorf("%d transactions", n)
		}
	})
}

// TestAHostWhoseBatchMeetsABugIsToldAlone: the others are answered as ever, and its listing begins again.
func TestAHostWhoseBatchMeetsABugIsToldAlone(t *testing.T) {
	inLab(t, func(t *testing.T, sys *supervise.System) {
		h := newHub(sys)
		h.ref.Tell(messages.OwnershipChanged{Owner: true, Token: 5})
		bug := errors.New("a bug")
		h.db.set(func() { h.db.bug = map[string]error{"a": bug} })
		answers := map[string]messages.Delivered{}
		for _, d := range []messages.Delivery{part("l1", 0, false, "d1"), batch("b", "e1")} {
			a, err := h.ref.Ask(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			answers[d.HostUUID] = a.(messages.Delivered)
		}
		if !errors.Is(answers["a"].Err, bug) || answers["b"].Err != nil || len(of[messages.OutboxAppended](h.publisher)) != 1 {
			t.Errorf("answers: %+v", answers)
		}
		h.db.set(func() { h.db.bug = nil })
		if err := h.deliver(part("l1", 1, true, "d2")); !errors.Is(err, errListing) {
			t.Errorf("the next part of a listing that lost one: %v", err)
		}
	})
}

func TestAListingSweepsOnlyWhenAllOfItsPartsCame(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		h := newHub(sys)
		h.ref.Tell(messages.OwnershipChanged{Owner: true, Token: 5})
		for name, parts := range map[string][]messages.Delivery{
			"a part is missing":          {part("x", 0, false, "d1"), part("x", 2, true, "d3")},
			"it begins in the middle":    {part("y", 1, true, "d2")},
			"another listing's part":     {part("z", 0, false, "d1"), part("zz", 1, true, "d2")},
			"a part comes a second time": {part("q", 0, false, "d1"), part("q", 1, false, "d2"), part("q", 1, true, "d2")},
		} {
			var err error
			for _, d := range parts {
				err = h.deliver(d)
			}
			if !errors.Is(err, errListing) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, d := range []messages.Delivery{part("n", 0, false, "d1"), part("n", 1, true, "d2")} {
			if err := h.deliver(d); err != nil {
				t.Fatal(err)
			}
		}
		for i, call := range h.db.calls {
			for _, d := range call {
				if last := i == len(h.db.calls)-1; (d.Keep != nil) != last || last && (len(d.Keep) != 2 || !d.Keep["d1"]) {
					t.Errorf("call %d keeps %v", i, d.Keep)
				}
			}
		}
	})
}

func TestAHostIsJudgedByItsSilence(t *testing.T) {
	up := signs{enrolled: true, heard: true}
	for name, c := range map[string]struct {
		change func(*signs)
		want   messages.MemberStatus
		old    bool
	}{
		"a beat a moment ago":           {func(*signs) {}, messages.MemberUp, false},
		"silent for almost 3 s":         {func(s *signs) { s.silent = SuspectAfter - 1 }, messages.MemberUp, false},
		"silent for 3 s":                {func(s *signs) { s.silent = SuspectAfter }, messages.MemberSuspect, false},
		"silent for 5 s":                {func(s *signs) { s.silent = StaleAfter }, messages.MemberStale, true},
		"it said goodbye":               {func(s *signs) { s.left, s.silent = true, time.Hour }, messages.MemberLeft, true},
		"never heard":                   {func(s *signs) { s.heard, s.silent = false, time.Hour }, messages.MemberNever, true},
		"decommissioned, rows are left": {func(s *signs) { s.enrolled = false }, messages.MemberGone, true},
		"decommissioned after goodbye":  {func(s *signs) { s.enrolled, s.left = false, true }, messages.MemberGone, true},
	} {
		s := up
		c.change(&s)
		if got := judge(s); got != c.want || old(got) != c.old {
			t.Errorf("%s: %s, old %v", name, got, old(got))
		}
	}
	if newsworthy("", messages.MemberNever) || newsworthy("", messages.MemberGone) || !newsworthy(messages.MemberStale, messages.MemberUp) || newsworthy(messages.MemberUp, messages.MemberUp) {
		t.Error("news are not news")
	}
	if wordOf(messages.MemberStale, messages.MemberUp) != "back" || wordOf(messages.MemberNever, messages.MemberUp) != "up" {
		t.Error("words")
	}
}

// crowd is the members with a fabric in memory.
type crowd struct {
	t               *testing.T
	mu              sync.Mutex
	peers           []messages.Peer
	db              *base
	publisher, view *box
	audit           []string
	ref             *supervise.Ref
}

func newCrowd(t *testing.T, sys *supervise.System, hosts ...string) *crowd {
	c := &crowd{t: t, db: &base{}, publisher: &box{}, view: &box{}}
	for _, h := range hosts {
		c.peers = append(c.peers, messages.Peer{Pin: messages.Pin{HostUUID: h, Name: "name-" + h}, Version: "2"})
	}
	c.ref = sys.Spawn(supervise.Spec{Kind: "swarm", ID: "members", New: func() supervise.Receiver {
		return NewMembers(MembersConfig{Peers: c.list, Rows: c.db, Publisher: c.publisher, View: c.view, Instance: "i",
			Self: messages.Member{HostUUID: "local", Name: "master", Role: "hub", Version: "1"}, Own: func() (int, string, bool) { return 3, "", false },
			Again: func(host string) { c.note("again " + host) },
			Audit: func(host, _ string, r []messages.ShipRefusal) {
				c.note(fmt.Sprintf("%s %d", host, len(r)))
			}})
	}})
	return c
}

func (c *crowd) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.audit = append(c.audit, text)
}

func (c *crowd) list() []messages.Peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.peers)
}

// contact has a host be heard now.
func (c *crowd) contact(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peers[i].LastContact, c.peers[i].Connected = messages.Moment{Time: time.Now()}, true
}

func (c *crowd) members() map[string]messages.Member {
	c.t.Helper()
	a, err := c.ref.Ask(context.Background(), messages.GetMembers{})
	if err != nil {
		c.t.Fatal(err)
	}
	out := map[string]messages.Member{}
	for _, m := range a.([]messages.Member) {
		out[m.HostUUID] = m
	}
	return out
}

// changes are the health events that told of one.
func (c *crowd) changes() string {
	var out []string
	for _, p := range of[messages.EventHappened](c.view) {
		out = append(out, p.Event.Target+" "+p.Event.To)
	}
	return strings.Join(out, ", ")
}

func TestSilenceIsToldStepByStepAndAGoodbyeIsNoAlarm(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		c := newCrowd(t, sys, "a", "b", "c")
		pass(10 * time.Second)
		if got := c.changes(); got != "" {
			t.Errorf("told of hosts that were never heard: %s", got)
		}
		for range 20 {
			c.contact(0)
			c.contact(1)
			pass(time.Second)
		}
		if got := c.changes(); got != "name-a up, name-b up" && got != "name-b up, name-a up" {
			t.Errorf("told: %s", got)
		}
		c.ref.Tell(messages.PeerEvent{HostUUID: "b", Graceful: true, Peer: c.list()[1]})
		pass(SuspectAfter - 100*time.Millisecond)
		if m := c.members(); m["a"].Status != messages.MemberSuspect && m["a"].Status != messages.MemberUp || m["b"].Status != messages.MemberLeft || m["c"].Status != messages.MemberNever {
			t.Errorf("members: %+v", m)
		}
		pass(StaleAfter)
		c.contact(0)
		pass(time.Second)
		if got := c.changes(); !strings.HasSuffix(got, "name-b left, name-a suspect, name-a stale, name-a back") {
			t.Errorf("told: %s", got)
		}
		m := c.members()
		if m["a"].Status != messages.MemberUp || !m["a"].Skewed || m["local"].Status != messages.MemberUp || m["local"].Deckies != 3 || len(m) != 4 {
			t.Errorf("members: %+v", m)
		}
		published := of[messages.PublishNow](c.publisher)
		for topic, status := range map[string]string{"fleet.a.health": "stale", "fleet.b.health": "left", "fleet.c.health": "never"} {
			if !slices.ContainsFunc(published, func(p messages.PublishNow) bool {
				return p.Topic == topic && strings.Contains(string(p.Payload), `"status":"`+status+`"`)
			}) {
				t.Errorf("nobody says on %s that it is %s", topic, status)
			}
		}
	})
}

// TestWhoWasNotListenedToWasNotSilent: the hub's process is stopped for a while, with a host that is up and one that is stale.
func TestWhoWasNotListenedToWasNotSilent(t *testing.T) {
	var slept atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
	inLabAt(t, now, func(_ *testing.T, sys *supervise.System) {
		c := newCrowd(t, sys, "a", "b")
		c.contact(1)
		pass(StaleAfter + time.Second)
		c.contact(0)
		pass(time.Second)
		slept.Add(int64(time.Hour))
		pass(SuspectAfter - time.Second - lookEvery)
		if got := c.changes(); !strings.HasSuffix(got, "name-b stale, name-a up") {
			t.Errorf("told: %s", got)
		}
		if m := c.members(); m["a"].Status != messages.MemberUp || m["b"].Status != messages.MemberStale {
			t.Errorf("members: %+v", m)
		}
		pass(StaleAfter)
		if got := c.changes(); !strings.HasSuffix(got, "name-a suspect, name-a stale") {
			t.Errorf("who stays silent is not told of: %s", got)
		}
	})
}

func TestRowsOfASilentHostAreMarkedAndNeverChanged(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		c := newCrowd(t, sys, "a")
		c.db.read = []messages.MirrorRow{{HostUUID: "a", Name: "d1", State: "running", Services: `["ssh","http"]`}, {HostUUID: "gone", Name: "d9", State: "failed"}}
		c.ref.Tell(messages.ReportsWanted{})
		pass(readEvery + time.Second)
		c.contact(0)
		pass(time.Second)
		c.ref.Tell(Mirrored{HostUUID: "a", Rows: []messages.MirrorRow{{HostUUID: "a", Name: "d2", State: "failed", Cause: "die", Rev: 4}}, Refused: make([]messages.ShipRefusal, 3)})
		rows := c.rows()
		if len(rows) != 3 || rows[0].Stale || rows[0].Node != "name-a" || !slices.Equal(rows[0].Expected, []string{"ssh", "http"}) || rows[1].Cause != "die" || !rows[2].Stale || rows[2].Node != "gone" {
			t.Errorf("rows: %+v", rows)
		}
		if m := c.members(); m["gone"].Status != messages.MemberGone || m["a"].Deckies != 2 || m["a"].Refused != 3 {
			t.Errorf("members: %+v", m)
		}
		if len(c.audit) != 1 || c.audit[0] != "a 3" {
			t.Errorf("audited: %v", c.audit)
		}
		pass(StaleAfter + time.Second)
		if rows := c.rows(); len(rows) != 3 || !rows[0].Stale || rows[0].State != "running" {
			t.Errorf("rows of a silent host: %+v", rows)
		}
		c.ref.Tell(Mirrored{HostUUID: "gone", Gone: []string{"d9"}})
		pass(time.Second)
		if m := c.members(); m["gone"].HostUUID != "" {
			t.Errorf("a host without rows that is not enrolled is listed: %+v", m["gone"])
		}
	})
}

func (c *crowd) rows() []messages.DeckyStatus {
	c.t.Helper()
	a, err := c.ref.Ask(context.Background(), GetRows{})
	if err != nil {
		c.t.Fatal(err)
	}
	return a.([]messages.DeckyStatus)
}

func TestWhatIsToldWhileTheTableIsReadIsNewer(t *testing.T) {
	r := newRoster()
	r.keep(messages.MirrorRow{HostUUID: "a", Name: "d1", State: "running", Cause: "start", Rev: 1})
	r.keep(messages.MirrorRow{HostUUID: "a", Name: "d2", State: "running"})
	r.reading()
	r.told(Mirrored{HostUUID: "a", Rows: []messages.MirrorRow{{HostUUID: "a", Name: "d3", State: "failed"}}, Gone: []string{"d2"}})
	r.read([]messages.MirrorRow{{HostUUID: "a", Name: "d1", State: "running", Rev: 1}, {HostUUID: "a", Name: "d2", State: "running"}, {HostUUID: "a", Name: "d4", State: "pending"}})
	var got []string
	for _, d := range r.deckies(func(h string) (string, bool) { return h, false }) {
		got = append(got, d.Name+" "+d.State+" "+d.Cause)
	}
	if want := []string{"d1 running start", "d3 failed ", "d4 pending "}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAHostWhoseRowsSomebodyElseWroteListsThemAgain(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		c := newCrowd(t, sys, "a", "b")
		row := func(host, name, state string) messages.MirrorRow {
			return messages.MirrorRow{HostUUID: host, Name: name, State: state, Rev: 2}
		}
		beat := func(d time.Duration) {
			for range int(d / time.Second) {
				c.contact(0)
				c.contact(1)
				pass(time.Second)
			}
		}
		both := []messages.MirrorRow{row("a", "d1", "running"), row("a", "d2", "running"), row("b", "d3", "failed")}
		c.db.set(func() { c.db.read = both })
		beat(2*readEvery + 2*time.Second)
		if len(c.audit) > 0 {
			t.Fatalf("nobody wrote anything: %v", c.audit)
		}
		c.db.set(func() { c.db.read = []messages.MirrorRow{both[0], both[2]} })
		beat(readEvery)
		c.db.set(func() { c.db.read = []messages.MirrorRow{both[0], row("b", "d3", "pending")} })
		beat(readEvery)
		beat(2 * readEvery)
		if want := []string{"again a", "again b"}; !slices.Equal(c.audit, want) {
			t.Errorf("%v, want %v", c.audit, want)
		}
	})
}
