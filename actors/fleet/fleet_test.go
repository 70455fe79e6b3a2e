package fleet

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/decky"
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// box collects what an actor is told, and answers orders as a store with a working database would.
type box struct {
	mu    sync.Mutex
	all   []any
	reply func(msg any)
}

func (b *box) Tell(msg any) bool {
	b.mu.Lock()
	b.all = append(b.all, msg)
	b.mu.Unlock()
	if b.reply != nil {
		b.reply(msg)
	}
	return true
}

func (b *box) take() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.all
	b.all = nil
	return all
}

// world is a fleet with real decky actors between sources and a store that are boxes.
type world struct {
	t       *testing.T
	sys     *supervise.System
	fleet   *supervise.Ref
	sources map[messages.Source]*box
	store   *box
	seq     uint64
	mu      sync.Mutex // of what follows: deckies order at the same time
	table   map[string]messages.Recorded
	rev     int64
}

func newWorld(t *testing.T) *world {
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, sys: sys, store: &box{}, sources: map[messages.Source]*box{}, table: map[string]messages.Recorded{}}
	tellers := map[messages.Source]Teller{}
	for _, s := range []messages.Source{messages.SourceDeclared, messages.SourceRecorded, messages.SourceObserved} {
		w.sources[s] = &box{}
		tellers[s] = w.sources[s]
	}
	w.store.reply = w.commit
	id := func() string { return "0123456789abcdef0123456789abcdef" }
	w.fleet = sys.Spawn(supervise.Spec{Kind: "fleet", ID: "fleet", Subsystem: true, Mailbox: 1 << 16, New: func() supervise.Receiver {
		return New(Config{HostUUID: "local", Recode: recode, Sources: tellers, Store: w.store, View: &box{}, Staff: w.staff, NewID: id,
			Child: func(name string) supervise.Spec {
				return supervise.Spec{Kind: "decky", ID: name, New: func() supervise.Receiver {
					return decky.New(name, &decky.Config{HostUUID: "local", Fleet: w.fleet, Store: w.store, View: &box{}, NewID: id, Policy: decky.DefaultPolicy()})
				}}
			}})
	}})
	return w
}

func recode(e messages.Declared, services []string, mutated float64) (messages.Declared, error) {
	e.Services, e.LastMutated, e.ConfigJSON = services, mutated, strings.Join(services, ",")
	return e, nil
}

func (w *world) staff() []string {
	var names []string
	for _, r := range w.sys.Refs() {
		if r.Kind() == "decky" {
			names = append(names, r.ID())
		}
	}
	return names
}

func (w *world) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.sys.Shutdown(ctx); err != nil {
		w.t.Error(err)
	}
}

// commit is the store's side: it applies an order and replies.
func (w *world) commit(msg any) {
	c, ok := msg.(messages.RowChange)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rev++
	r := messages.RowReply{Name: c.Name, Seq: c.Seq, Kind: c.Kind, SetState: c.SetState, Outcome: messages.Committed, Rev: w.rev, At: time.Now()}
	if c.Kind == messages.DeleteRow {
		r.Presence = messages.Absent
		delete(w.table, c.Name)
	} else {
		row := w.table[c.Name]
		row.Name, row.State, row.LastError = c.Name, string(c.State), c.LastError
		if c.SetContent {
			row.Services, row.IP = c.Services, c.IP
		}
		w.table[c.Name] = row
		r.Presence, r.Row = messages.Present, row
	}
	go w.fleet.Tell(r)
}

func (w *world) stamp() messages.Stamp { w.seq++; return messages.Stamp{Epoch: 1, Seq: w.seq} }

func (w *world) file(names ...string) {
	m := messages.DeclaredChanged{Stamp: w.stamp(), Full: true, Status: messages.FileValid, ReadAt: time.Now()}
	for _, n := range names {
		m.Entries = append(m.Entries, messages.Declared{Name: n, Services: []string{"ssh"}})
	}
	w.fleet.Tell(m)
	synctest.Wait()
}

func (w *world) rows() {
	m := messages.RecordedChanged{Stamp: w.stamp(), Full: true, ReadAt: time.Now()}
	w.mu.Lock()
	for _, r := range w.table {
		m.Rows = append(m.Rows, r)
	}
	w.mu.Unlock()
	w.fleet.Tell(m)
	synctest.Wait()
}

// docker tells the whole list: name of a decky → state of its ssh container.
func (w *world) docker(states map[string]string) {
	m := messages.RuntimeChanged{Stamp: w.stamp(), Full: true, Cause: "relist", ReadAt: time.Now()}
	for name, state := range states {
		m.Changed = append(m.Changed, messages.Container{ID: name, Name: name + "-ssh", Decky: name, Service: "ssh", State: state})
	}
	w.fleet.Tell(m)
	synctest.Wait()
}

// orders are the transitions ordered since the last look, by decky.
func (w *world) orders() []string {
	var out []string
	for _, m := range w.store.take() {
		if c, ok := m.(messages.RowChange); ok {
			out = append(out, c.Name+" "+c.Kind.String()+" "+string(c.State))
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) expect(what string, want ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.orders(); !slices.Equal(got, want) {
		w.t.Errorf("%s: ordered %v, want %v", what, got, want)
	}
}

// wait lets time pass while the sources answer what they are asked.
func (w *world) wait(d time.Duration, names ...string) {
	for range int(d / (500 * time.Millisecond)) {
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		if asked(w.sources[messages.SourceDeclared].take()) {
			w.file(names...)
		}
		if asked(w.sources[messages.SourceRecorded].take()) {
			w.rows()
		}
	}
}

func asked(msgs []any) bool {
	return slices.ContainsFunc(msgs, func(m any) bool { _, ok := m.(messages.RereadWanted); return ok })
}

func (w *world) row(name, state string) {
	w.table[name] = messages.Recorded{Name: name, State: state, Services: []string{"ssh"}}
}

func TestNobodyDecidesBeforeEverySourceAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.file("d1")
		w.rows()
		w.expect("Docker has not answered")
		w.docker(map[string]string{"d1": "running"})
		w.expect("all have answered", "d1 insert running")
	})
}

func TestASilentDockerCountsAsUnknownAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.file("d1")
		w.rows()
		time.Sleep(5 * time.Second)
		w.expect("after five seconds", "d1 insert pending")
	})
}

func TestAContainersDeathBecomesAnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		w.expect("converged")
		w.fleet.Tell(messages.RuntimeChanged{Stamp: w.stamp(), Cause: "die", ReadAt: time.Now(),
			Changed: []messages.Container{{ID: "d1", Name: "d1-ssh", Decky: "d1", Service: "ssh", State: "exited"}}})
		w.expect("it died", "d1 update failed")
		w.fleet.Tell(messages.SourceDown{Source: messages.SourceObserved, Stamp: w.stamp()})
		w.expect("Docker is gone: silence")
	})
}

func TestAMissingFileDeletesNothingWhileContainersAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Status: messages.FileMissing, Gone: []string{"d1"}, ReadAt: time.Now()})
		time.Sleep(10 * time.Second)
		w.expect("its container is there: held")
		w.docker(nil)
		for range 3 {
			w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Status: messages.FileMissing, ReadAt: time.Now()})
			w.rows()
			time.Sleep(3 * time.Second)
		}
		w.expect("Docker bears witness", "d1 delete torn_down")
	})
}

func TestMassDeletionIsHeldWithoutWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		up := map[string]string{}
		names := []string{"d1", "d2", "d3", "d4", "d5", "d6"}
		for _, n := range names {
			w.row(n, "running")
			up[n] = "running"
		}
		w.file(names...)
		w.rows()
		w.docker(up)
		w.file("d1")
		w.wait(10*time.Second, "d1")
		w.expect("five of six with containers: held")
		w.file(names...)
		w.wait(3*time.Second, names...)
		w.file("d1", "d2", "d3", "d4", "d5")
		w.wait(4*time.Second, "d1", "d2", "d3", "d4", "d5")
		w.expect("a single one goes", "d6 delete torn_down")
	})
}

func TestARejectedEntryMakesItsNameUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.row("d2", "running")
		w.file("d1", "d2")
		w.rows()
		w.docker(map[string]string{"d1": "running", "d2": "running"})
		w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Status: messages.FileValid, ReadAt: time.Now(), Gone: []string{"d1"},
			Rejected: []messages.Rejected{{Index: 0, Name: "d1"}}})
		w.docker(map[string]string{"d1": "exited", "d2": "exited"})
		w.wait(5*time.Second, "d2")
		w.expect("only the other one is judged", "d2 update failed")
	})
}

func TestAForeignEntryIsNotOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.rows()
		w.docker(nil)
		w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Full: true, Status: messages.FileValid, ReadAt: time.Now(),
			Entries: []messages.Declared{{Name: "d1", HostUUID: "5f0c9a0e", Services: []string{"ssh"}}}})
		time.Sleep(10 * time.Second)
		w.expect("nothing is written for another host")
	})
}

func TestARedeployHoldsStateChangesUntilSomethingStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		names, up := []string{"d1", "d2", "d3", "d4"}, map[string]string{}
		var lost []messages.Container
		for _, n := range names {
			w.row(n, "running")
			up[n] = "running"
			lost = append(lost, messages.Container{ID: n, Decky: n, Service: "ssh"})
		}
		w.file(names...)
		w.rows()
		w.docker(up)
		w.fleet.Tell(messages.RuntimeHinted{Destroyed: lost})
		w.docker(nil)
		time.Sleep(5 * time.Second)
		w.expect("compose down is under way")
		w.docker(up)
		w.fleet.Tell(messages.RuntimeHinted{Started: 4})
		w.expect("up again: nothing happened")
	})
}

func TestAPassEndsWhenEverybodyIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d2", "running")
		answer := make(chan any, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			a, err := w.fleet.Ask(ctx, messages.GetPass{First: true})
			if err != nil {
				a = err
			}
			answer <- a
		}()
		w.file("d1", "d2")
		w.rows()
		w.docker(map[string]string{"d1": "running", "d2": "exited"})
		r, ok := (<-answer).(messages.PassReport)
		if !ok || r.Inserted != 1 || r.StateUpdated != 1 || r.Deleted != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestFleetFindsItsDeckiesAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		before := len(w.sys.Refs())
		w.sys.Restart(w.fleet, "test")
		time.Sleep(time.Second)
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "exited"})
		w.expect("the same decky decides", "d1 update failed")
		if after := len(w.sys.Refs()); after != before {
			t.Errorf("%d actors, were %d", after, before)
		}
	})
}

func TestTwoPassesAtOnceBothEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		var ended sync.WaitGroup
		for range 2 {
			ended.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if a, err := w.fleet.Ask(ctx, messages.GetPass{First: true}); err != nil || a.(messages.PassReport).Late {
					t.Errorf("%+v %v", a, err)
				}
			})
		}
		ended.Wait()
	})
}

func TestAPassOfAStandbyEndsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.store.reply = nil // nobody writes
		w.fleet.Tell(messages.OwnershipChanged{})
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		a, err := w.fleet.Ask(context.Background(), messages.GetPass{First: true})
		if r, ok := a.(messages.PassReport); !ok || !r.NotOwner {
			t.Errorf("%+v %v", a, err)
		}
	})
}

func TestADeckyOutOfQuarantineIsAMemberAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		for range 2 {
			w.fleet.Tell(messages.DeckyCrashed{Name: "d1", Quarantined: true, Reason: "boom"})
			w.expect("its row says so each time, and the living decky takes it back", "d1 update running", "d1 update running")
			w.fleet.Tell(messages.FactsWanted{Name: "d1"})
		}
	})
}

func TestALookThatBeganBeforeADeleteDoesNotBringTheDeckyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(nil)
		w.orders()
		stale := messages.RecordedChanged{Full: true, Rows: []messages.Recorded{w.table["d1"]}, ReadAt: time.Now()}
		w.file()
		w.wait(4 * time.Second)
		w.expect("the file has it no more", "d1 delete torn_down")
		stale.Stamp = w.stamp()
		w.fleet.Tell(stale)
		synctest.Wait()
		if names := w.staff(); len(names) != 0 {
			t.Errorf("%v came back from an old look", names)
		}
		if !slices.ContainsFunc(w.sources[messages.SourceRecorded].take(), func(m any) bool { return m == messages.RowWritten{Name: "d1"} }) {
			t.Error("the source is not asked to tell it again")
		}
		w.row("d1", "running")
		w.rows()
		if names := w.staff(); len(names) != 1 {
			t.Errorf("a row that is there again has %v", names)
		}
	})
}

func TestApprovalReleasesTheHeldSetAndWhatIsLeftOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		names, up := []string{"d1", "d2", "d3", "d4", "d5", "d6"}, map[string]string{}
		for _, n := range names {
			w.row(n, "running")
			up[n] = "running"
		}
		w.file(names...)
		w.rows()
		w.docker(up)
		w.file("d1")
		w.wait(4*time.Second, "d1")
		w.expect("held")
		ask := func(hash string, dry bool) messages.ApproveReply {
			a, err := w.fleet.Ask(context.Background(), messages.ApproveDeletes{Hash: hash, DryRun: dry})
			if err != nil {
				t.Fatal(err)
			}
			return a.(messages.ApproveReply)
		}
		r := ask("another", false)
		if !r.Held || r.Accepted || len(r.Names) != 5 || r.Hash == "" {
			t.Fatalf("another hash: %+v", r)
		}
		if dry := ask(r.Hash, true); !dry.Accepted || w.orders() != nil {
			t.Fatalf("dry: %+v", dry)
		}
		w.wait(70*time.Second, "d1")
		w.expect("dry runs approve nothing")
		if got := ask(r.Hash, false); !got.Accepted || !got.Released {
			t.Fatalf("approved: %+v", got)
		}
		w.wait(4*time.Second, "d1")
		w.expect("released", "d2 delete torn_down", "d3 delete torn_down", "d4 delete torn_down", "d5 delete torn_down", "d6 delete torn_down")
	})
}

func TestAnApprovalDoesNotCoverANameThatCameLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		names, up := []string{"d1", "d2", "d3", "d4", "d5", "d6"}, map[string]string{}
		for _, n := range names {
			w.row(n, "running")
			up[n] = "running"
		}
		w.file(names...)
		w.rows()
		w.docker(up)
		w.file("d1", "d2")
		w.wait(4*time.Second, "d1", "d2")
		a, err := w.fleet.Ask(context.Background(), messages.ApproveDeletes{Hash: setHash([]string{"d3", "d4", "d5", "d6"})})
		if r, ok := a.(messages.ApproveReply); err != nil || !ok || !r.Accepted || r.Released {
			t.Fatalf("%+v %v", a, err)
		}
		w.file("d1")
		w.wait(90*time.Second, "d1")
		w.expect("five, of which four are approved")
	})
}

// TestAHeldDeletionGoesWhenTheWindowIsOver: nothing but time passes, and no audit comes near.
func TestAHeldDeletionGoesWhenTheWindowIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.fleet.Tell(messages.AuditEvery{Every: time.Hour})
		names, up := []string{"d1", "d2", "d3", "d4", "d5", "d6"}, map[string]string{}
		for _, n := range names {
			w.row(n, "running")
			up[n] = "running"
		}
		w.file(names...)
		w.rows()
		w.docker(up)
		began := time.Now()
		for i := range 3 {
			w.file(names[i+1:]...)
			w.wait(4*time.Second, names[i+1:]...)
			w.expect("within the limit", names[i]+" delete torn_down")
		}
		w.file(names[4:]...)
		w.wait(4*time.Second, names[4:]...)
		w.expect("the fourth within a minute is held")
		for time.Since(began) < 58*time.Second {
			w.wait(time.Second, names[4:]...)
		}
		w.expect("still within the minute")
		w.wait(20*time.Second, names[4:]...)
		w.expect("the first is a minute ago", "d4 delete torn_down")
	})
}

func TestTheDeploymentOffersServicesAndTheContainersChoose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		w.orders()
		deployed := messages.RecordedChanged{Stamp: w.stamp(), ReadAt: time.Now(), Deployed: []messages.Deployed{{Name: "d1", Services: []string{"http"}, LastMutated: 5}, {Name: "nobody", Services: []string{"ftp"}}}}
		w.fleet.Tell(deployed)
		w.expect("its containers are still the file's")
		change := func(c messages.RuntimeChanged) {
			c.Stamp, c.Cause, c.ReadAt = w.stamp(), "start", time.Now()
			w.fleet.Tell(c)
		}
		w.sources[messages.SourceRecorded].take()
		change(messages.RuntimeChanged{Changed: []messages.Container{{ID: "x", Name: "d1-http", Decky: "d1", Service: "http", State: "running"}}})
		w.expect("both are there: held")
		change(messages.RuntimeChanged{Gone: []string{"d1"}})
		w.expect("the mutation is done", "d1 update running")
		if s := w.table["d1"].Services; !slices.Equal(s, []string{"http"}) {
			t.Errorf("the row has %v", s)
		}
		if names := w.staff(); len(names) != 1 {
			t.Errorf("the deployment made deckies: %v", names)
		}
		change(messages.RuntimeChanged{Changed: []messages.Container{{ID: "y", Name: "d1-ftp", Decky: "d1", Service: "ftp", State: "running"}}})
		synctest.Wait()
		if !asked(w.sources[messages.SourceRecorded].take()) {
			t.Error("a service that nobody declares does not have the deployment read")
		}
	})
}
