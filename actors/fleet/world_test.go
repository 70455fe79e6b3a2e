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

// six makes six deckies that run, are declared and recorded, and gives their names.
func (w *world) six() []string {
	names, up := []string{"d1", "d2", "d3", "d4", "d5", "d6"}, map[string]string{}
	for _, n := range names {
		w.row(n, "running")
		up[n] = "running"
	}
	w.file(names...)
	w.rows()
	w.docker(up)
	return names
}
