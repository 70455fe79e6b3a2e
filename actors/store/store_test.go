package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// base is a database that keeps rows in memory; it can be slow, fail, and be taken by somebody else.
type base struct {
	mu      sync.Mutex
	lease   messages.Lease
	fail    error
	beat    error
	slow    time.Duration
	batches [][]string
	acked   []int64
	id      int64

	deletions int
}

func (b *base) Apply(ctx context.Context, token int64, batch []messages.RowChange) ([]messages.RowReply, []messages.OutboxRow, error) {
	select {
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	case <-time.After(b.slow):
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return nil, nil, b.fail
	}
	if token != b.lease.Token {
		return nil, nil, messages.ErrFenced
	}
	var names []string
	var replies []messages.RowReply
	var outbox []messages.OutboxRow
	for _, c := range batch {
		b.id++
		names = append(names, c.Name+" "+string(c.State))
		replies = append(replies, messages.RowReply{Name: c.Name, Seq: c.Seq, Kind: c.Kind, Outcome: messages.Committed, Rev: b.id})
		outbox = append(outbox, messages.OutboxRow{ID: b.id, Name: c.Name})
	}
	b.batches = append(b.batches, names)
	return replies, outbox, nil
}

func (b *base) Acknowledge(_ context.Context, ids []int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail == nil {
		b.acked = append(b.acked, ids...)
		b.deletions++
	}
	return b.fail
}

func (b *base) Look(context.Context) (messages.Lease, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lease, b.fail
}

func (b *base) Take(_ context.Context, seen messages.Lease) (messages.Lease, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lease != seen {
		return messages.Lease{}, messages.ErrLeaseMoved
	}
	b.lease = messages.Lease{Held: true, Token: seen.Token + 1, Owner: "us", BootID: "boot", StateDir: "/s"}
	return b.lease, nil
}

func (b *base) Beat(_ context.Context, token int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.beat != nil {
		return b.beat
	}
	if token != b.lease.Token {
		return messages.ErrFenced
	}
	b.lease.Beat++
	return nil
}

func (b *base) Release(context.Context, int64) error { return nil }

func (b *base) written() [][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.batches)
}

func (b *base) deleted() []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.acked)
}

func (b *base) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// ear collects what an actor is told.
type ear struct {
	mu   sync.Mutex
	all  []any
	full bool
}

func (e *ear) Tell(m any) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.full {
		e.all = append(e.all, m)
	}
	return !e.full
}

func heard[T any](e *ear) []T {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []T
	for _, m := range e.all {
		if x, ok := m.(T); ok {
			out = append(out, x)
		}
	}
	return out
}

type scene struct {
	base                    *base
	fleet, publisher, pulse *ear
	store                   *supervise.Ref
	sys                     *supervise.System
}

// stage runs a test with a store on that database, in fake time.
func stage(t *testing.T, b *base, story func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		s := &scene{sys: sys, base: b, fleet: &ear{}, publisher: &ear{}, pulse: &ear{}}
		s.store = sys.Spawn(supervise.Spec{Kind: "store", ID: "store", Subsystem: true, Mailbox: 1 << 16, New: func() supervise.Receiver {
			return New(Config{Rows: b, Leases: b, Fleet: s.fleet, Publisher: s.publisher, Pulse: s.pulse, View: &ear{},
				BootID: "boot", StateDir: "/s", Jitter: func() float64 { return 0.5 }})
		}})
		synctest.Wait()
		story(s)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func change(name string, state messages.State, seq uint64) messages.RowChange {
	return messages.RowChange{Name: name, Seq: seq, Kind: messages.UpdateRow, State: state, SetState: true}
}

func TestACommitIsRepliedAndHandedToThePublisher(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.store.Tell(change("d1", messages.Failed, 1))
		synctest.Wait()
		if r := heard[messages.RowReply](s.fleet); len(r) != 1 || r[0].Outcome != messages.Committed {
			t.Errorf("replies %+v", r)
		}
		if o := heard[messages.OutboxAppended](s.publisher); len(o) != 1 || len(o[0].Rows) != 1 {
			t.Errorf("outbox %+v", o)
		}
	})
}

func TestWhatIsOrderedDuringATransactionGoesInOneBatchAfterThePause(t *testing.T) {
	stage(t, &base{slow: 10 * time.Millisecond}, func(s *scene) {
		s.store.Tell(change("d1", messages.Failed, 1))
		synctest.Wait()
		for _, n := range []string{"d2", "d3", "d2"} {
			s.store.Tell(change(n, messages.Running, 2))
		}
		time.Sleep(15 * time.Millisecond)
		synctest.Wait()
		if got := len(s.base.written()); got != 1 {
			t.Errorf("%d batches during the pause", got)
		}
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		if b := s.base.written(); len(b) != 2 || !slices.Equal(b[1], []string{"d2 running", "d3 running"}) {
			t.Errorf("batches %v", b)
		}
	})
}

func TestAnOutageKeepsTheLatestOrderOfEachDeckyAndNothingElse(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.base.set(func() { s.base.fail = errors.New("database is locked") })
		s.store.Tell(change("d1", messages.Failed, 1))
		time.Sleep(time.Minute)
		s.store.Tell(change("d1", messages.Degraded, 2))
		s.store.Tell(change("d2", messages.Failed, 1))
		s.store.Tell(messages.WithdrawRow{Name: "d2", Seq: 1})
		time.Sleep(time.Minute)
		if f := heard[messages.StoreFailing](s.fleet); len(f) == 0 || f[0].Fault.What == "" {
			t.Error("the fleet was not told")
		}
		s.base.set(func() { s.base.fail = nil })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if b := s.base.written(); len(b) != 1 || !slices.Equal(b[0], []string{"d1 degraded"}) {
			t.Errorf("batches %v", b)
		}
		replies := heard[messages.RowReply](s.fleet)
		if len(replies) != 2 || replies[0].Outcome != messages.Withdrawn || replies[1].Outcome != messages.Committed {
			t.Errorf("replies %+v", replies)
		}
	})
}

func TestAFullFleetMailboxLosesNoReply(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.fleet.mu.Lock()
		s.fleet.full = true
		s.fleet.mu.Unlock()
		s.store.Tell(change("d1", messages.Failed, 1))
		time.Sleep(time.Second)
		s.fleet.mu.Lock()
		s.fleet.full = false
		s.fleet.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		if r := heard[messages.RowReply](s.fleet); len(r) != 1 {
			t.Errorf("%d replies", len(r))
		}
	})
}

func TestAFencedOwnerStopsWritingAndWaits(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.base.set(func() { s.base.lease = messages.Lease{Held: true, Token: 9, Owner: "them", BootID: "other"} })
		s.store.Tell(change("d1", messages.Failed, 1))
		synctest.Wait()
		if len(s.base.written()) != 0 {
			t.Error("it wrote over another's lease")
		}
		o := heard[messages.OwnershipChanged](s.publisher)
		if len(o) < 2 || !o[0].Owner || o[len(o)-1].Owner {
			t.Errorf("ownership %+v", o)
		}
		for beat := range int64(20) {
			s.base.set(func() { s.base.lease.Beat = beat + 1 })
			time.Sleep(time.Second)
		}
		if len(s.base.written()) != 0 {
			t.Error("it took a lease that beats")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(s.base.written()) != 1 {
			t.Error("it did not take a lease that stands still")
		}
	})
}

func TestAcknowledgedRowsAreDeletedInTheEnd(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.base.set(func() { s.base.fail = errors.New("gone") })
		s.store.Tell(messages.OutboxAcknowledged{IDs: []int64{1, 2}})
		time.Sleep(time.Minute)
		s.base.set(func() { s.base.fail = nil })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if !slices.Equal(s.base.deleted(), []int64{1, 2}) {
			t.Errorf("deleted %v", s.base.deleted())
		}
	})
}

func patient(name string, seq uint64) messages.RowChange {
	c := change(name, messages.Failed, seq)
	c.Patient = true
	return c
}

func TestPatientOrdersWaitForEachOtherAndGoWithAnUrgentOne(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		for _, n := range []string{"d1", "d2", "d3"} {
			s.store.Tell(patient(n, 1))
			time.Sleep(company/3 - time.Millisecond)
		}
		if b := s.base.written(); len(b) != 0 {
			t.Fatalf("batches %v before they had waited", b)
		}
		time.Sleep(5 * time.Millisecond)
		s.store.Tell(patient("d4", 1)) // it begins another wait
		time.Sleep(5 * time.Millisecond)
		if b := s.base.written(); len(b) != 1 || len(b[0]) != 3 {
			t.Fatalf("batches %v, want one of three", b)
		}
		s.store.Tell(change("d5", messages.Failed, 1))
		synctest.Wait()
		if b := s.base.written(); len(b) != 2 || !slices.Equal(b[1], []string{"d4 failed", "d5 failed"}) {
			t.Errorf("batches %v, want d4 to go with d5 at once", b)
		}
	})
}

func TestPatientOrdersAreWrittenThroughFailuresFullBatchesAndWithdrawals(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.base.set(func() { s.base.fail = errors.New("gone") })
		for i := range 2*MaxBatch + 1 {
			s.store.Tell(patient(fmt.Sprintf("d%03d", i), 1))
		}
		time.Sleep(time.Minute)
		s.store.Tell(messages.WithdrawRow{Name: "d000", Seq: 1})
		s.base.set(func() { s.base.fail = nil })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		n := 0
		for _, b := range s.base.written() {
			n += len(b)
		}
		if n != 2*MaxBatch {
			t.Errorf("%d orders written, want all %d that were not withdrawn", n, 2*MaxBatch)
		}
	})
}

func TestAcknowledgementsWaitForCompany(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		for i := range 10 {
			s.store.Tell(messages.OutboxAcknowledged{IDs: []int64{int64(i)}})
			time.Sleep(time.Millisecond)
		}
		if n := len(s.base.deleted()); n != 0 {
			t.Errorf("%d deleted at once", n)
		}
		time.Sleep(ackCompany)
		synctest.Wait()
		if s.base.deletions != 1 || len(s.base.deleted()) != 10 {
			t.Errorf("%d rows in %d deletions, want 10 in one", len(s.base.deleted()), s.base.deletions)
		}
	})
}

func TestWhatEndsWaitsForNoCompany(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.store.Tell(messages.OutboxAcknowledged{IDs: []int64{1}})
		synctest.Wait()
		if _, err := s.store.Ask(context.Background(), messages.GetQuiesced{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(s.base.deleted()) != 1 {
			t.Error("it is not deleted at once")
		}
	})
}

func TestMayTake(t *testing.T) {
	me, now := identity{"boot", "/s"}, time.Unix(1000, 0)
	held := messages.Lease{Held: true, Owner: "x", BootID: "other", StateDir: "/s"}
	for _, tc := range []struct {
		name string
		w    watch
		want bool
	}{
		{"no row", watch{}, true},
		{"released", watch{lease: messages.Lease{Held: true}}, true},
		{"our directory on our boot: we hold its flock", watch{lease: messages.Lease{Held: true, Owner: "x", BootID: "boot", StateDir: "/s"}, since: now}, true},
		{"another's, seen just now", watch{lease: held, since: now}, false},
		{"another's, still for five seconds", watch{lease: held, since: now.Add(-LeasePatience)}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := mayTake(tc.w, me, now); got != tc.want {
				t.Error(got)
			}
		})
	}
	moved := held
	moved.Beat++
	if w := watched(watch{lease: held, since: now.Add(-time.Hour)}, moved, now); !w.since.Equal(now) {
		t.Error("a beat must begin the watch anew")
	}
}

func TestARestartedStoreSaysThatItForgotItsOrders(t *testing.T) {
	stage(t, &base{slow: time.Hour}, func(s *scene) {
		s.store.Tell(change("d1", messages.Failed, 1))
		synctest.Wait()
		s.sys.Restart(s.store, "test")
		time.Sleep(time.Second)
		synctest.Wait()
		if got := heard[messages.StoreRestarted](s.fleet); len(got) != 1 {
			t.Errorf("said %d times", len(got))
		}
	})
}

func TestAnOrderWithdrawnDuringAnAttemptThatFailsIsNotTriedAgain(t *testing.T) {
	stage(t, &base{slow: 3 * time.Second}, func(s *scene) {
		s.base.set(func() { s.base.fail = errors.New("database is locked") })
		s.store.Tell(change("d1", messages.Failed, 1))
		time.Sleep(time.Second)
		s.store.Tell(messages.WithdrawRow{Name: "d1", Seq: 1})
		time.Sleep(10 * time.Second)
		s.base.set(func() { s.base.fail = nil })
		time.Sleep(time.Hour)
		synctest.Wait()
		if b := s.base.written(); len(b) != 0 {
			t.Errorf("written although withdrawn: %v", b)
		}
		if r := heard[messages.RowReply](s.fleet); len(r) != 1 || r[0].Outcome != messages.Withdrawn {
			t.Errorf("replies %+v", r)
		}
	})
}

func TestOneLateBeatIsForgottenByTheNext(t *testing.T) {
	stage(t, &base{}, func(s *scene) {
		s.base.set(func() { s.base.beat = errors.New("busy") })
		time.Sleep(LeaseBeat + LeaseBeat/2)
		s.base.set(func() { s.base.beat = nil })
		time.Sleep(time.Minute)
		synctest.Wait()
		if f := heard[messages.StoreFailing](s.fleet); len(f) < 2 || f[len(f)-1].Fault.What != "" {
			t.Errorf("heard %+v", f)
		}
	})
}

func TestWithdrawnOrdersLeaveNoQueueBehind(t *testing.T) {
	o := newOrders()
	for i := range uint64(10_000) {
		o.put(messages.RowChange{Name: "d1", Seq: i})
		o.withdraw("d1", i)
	}
	if len(o.queue) > 2*MaxBatch {
		t.Errorf("%d names wait for nothing", len(o.queue))
	}
}
