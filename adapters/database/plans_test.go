package database

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

// overheard keeps the statements of a pool.
type overheard struct {
	mu  sync.Mutex
	all []string
}

func (o *overheard) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (o *overheard) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, e.Query)
}

// SQLite keeps no statistics of our tables and takes the index it likes best: what is looked up by key must not read the
// rows of a whole host for it.
func TestWhatIsLookedUpByKeyReadsNothingElse(t *testing.T) {
	w := newWorld(t, onSQLite, func(c *Config) { c.Rehome = func(s, _ string) (string, error) { return s, nil } })
	w.enrol(workerA, "wa")
	p, err := w.db.pools(false)
	if err != nil {
		t.Fatal(err)
	}
	said := &overheard{}
	p.writer = p.writer.WithQueryHook(said)
	p.reader = p.reader.WithQueryHook(said)
	_, out := w.apply(w.insert("d1", messages.Running), w.insert("d2", messages.Running))
	w.apply(w.update("d1", "running", messages.Failed))
	w.apply(w.remove("d2", "running"))
	w.mirror(events(workerA, w.shipped(workerA, "m1", 1, "inserted", "", "running"), w.shipped(workerA, "m2", 1, "inserted", "", "running")))
	w.mirror(events(workerA, w.shipped(workerA, "m1", 2, "state_changed", "running", "failed")))
	for _, look := range []func() error{
		func() error { _, err := w.db.Pending(t.Context(), 0, 10); return err },
		func() error { _, err := w.db.Shippable(t.Context(), 0, 10); return err },
		func() error { _, _, err := w.db.Slice(t.Context(), 100); return err },
		func() error { return w.db.Park(t.Context(), out[1].ID, "why") },
		func() error { return w.db.Unpark(t.Context(), out[1].ID) },
		func() error { return w.db.Acknowledge(t.Context(), ids(out)) },
	} {
		if err := look(); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for _, q := range said.all {
		want := ""
		switch {
		case !strings.HasPrefix(q, "SELECT") && !strings.HasPrefix(q, "UPDATE") && !strings.HasPrefix(q, "DELETE"):
		case strings.Contains(q, "fleetd_outbox") && (strings.Contains(q, " id > ") || strings.Contains(q, " id IN ") || strings.Contains(q, " id = ")):
			want = "USING INTEGER PRIMARY KEY"
		case strings.Contains(q, "host_uuid = ") && strings.Contains(q, " name IN "):
			want = "(host_uuid=? AND name=?)"
		}
		if want == "" {
			continue
		}
		seen++
		if plan := w.dump("EXPLAIN QUERY PLAN " + q); !strings.Contains(flat(plan), want) {
			t.Errorf("%.120s…\n\treads %s", q, flat(plan))
		}
	}
	if seen < 12 {
		t.Errorf("only %d statements were looked at: %q", seen, said.all)
	}
}

func flat(plan []map[string]string) string {
	var all []string
	for _, step := range plan {
		all = append(all, step["detail"])
	}
	return strings.Join(all, "; ")
}
