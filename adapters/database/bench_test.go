package database

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// benchWorld has n rows; its digest is free, so that what is measured is ours.
func benchWorld(b *testing.B, n int) *world {
	b.Helper()
	w := &world{path: filepath.Join(b.TempDir(), "decnet.db"), now: start}
	w.other = decnet(b, w.path)
	cfg := w.config()
	cfg.Digest = func(s string) (string, error) { return "d", nil }
	var err error
	if w.db, err = Open(cfg); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = w.db.Close() })
	if err := w.db.Init(b.Context(), false); err != nil {
		b.Fatal(err)
	}
	l, err := w.db.Take(b.Context(), messages.Lease{})
	if err != nil {
		b.Fatal(err)
	}
	w.token = l.Token
	config := golden[recordedRows](b, "db_rows_sqlite.json").AfterInsert[0]["decky_config"]
	for i := 0; i < n; i += 100 {
		var batch []messages.RowChange
		for j := i; j < min(i+100, n); j++ {
			batch = append(batch, messages.RowChange{Name: fmt.Sprintf("decky-%05d", j), Kind: messages.InsertRow, State: messages.Running,
				SetContent: true, ServicesJSON: `["ssh","http","ftp"]`, ConfigJSON: *config, IP: "10.0.0.1", EventID: w.id()})
		}
		if _, _, err := w.db.Apply(b.Context(), w.token, batch); err != nil {
			b.Fatal(err)
		}
	}
	return w
}

// BenchmarkApply flips states of 1,000 rows and acknowledges the outbox. Target: 10,000 flips in 2 s at 128 a batch,
// the store pausing as long as it works: 128 rows in 12 ms.
func BenchmarkApply(b *testing.B) {
	for _, size := range []int{1, 32, 128} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			w := benchWorld(b, 1000)
			state := make([]messages.State, 1000)
			next := 0
			b.ResetTimer()
			for range b.N {
				batch := make([]messages.RowChange, size)
				for i := range batch {
					k := next % 1000
					next++
					prev := messages.Running
					if state[k] != "" {
						prev = state[k]
					}
					state[k] = messages.Failed
					if prev == messages.Failed {
						state[k] = messages.Running
					}
					batch[i] = w.update(fmt.Sprintf("decky-%05d", k), string(prev), state[k])
				}
				replies, out, err := w.db.Apply(b.Context(), w.token, batch)
				if err != nil || replies[0].Outcome != messages.Committed {
					b.Fatal(err, replies)
				}
				if err := w.db.Acknowledge(b.Context(), ids(out)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkInsert fills an empty table. Target: 10,000 rows in 2 s at 128 a batch.
func BenchmarkInsert(b *testing.B) {
	for range b.N {
		benchWorld(b, 10_000)
	}
	b.ReportMetric(float64(b.N*10_000)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkRead reads 10,000 rows: a cheap look, a complete one that knows the rows, one that does not.
func BenchmarkRead(b *testing.B) {
	w := benchWorld(b, 10_000)
	_, seen, err := w.db.readAll(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("look", func(b *testing.B) {
		for range b.N {
			if changed, err := w.db.changed(b.Context(), &seen); err != nil || changed {
				b.Fatal(changed, err)
			}
		}
	})
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, _, err := w.db.readAll(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new", func(b *testing.B) {
		for range b.N {
			w.db.rows.keep(nil)
			if _, _, err := w.db.readAll(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkMirror flips states of what 100 workers have, 25 of each of 20 in a transaction, and acknowledges the outbox.
// Target: 10,000 a second, the mirror pausing half as long as it works: 500 in 33 ms.
func BenchmarkMirror(b *testing.B) {
	const hosts, each, size = 20, 25, 500
	w := benchWorld(b, 1)
	w.t = b
	w.db.cfg.Rehome = func(config, _ string) (string, error) { return config, nil }
	host := func(i int) string { return fmt.Sprintf("%08d-1111-4111-8111-111111111111", i) }
	state, rev := map[string]string{}, int64(0)
	batch := func(i int) (out []messages.Delivery) {
		rev++
		for h := range hosts {
			var all []messages.Shipped
			for k := range each {
				name, is, how := fmt.Sprintf("d-%d-%d", (i*hosts+h)%100, (i/5*each+k)%size), "running", messages.TransitionInserted
				was := state[name]
				if was != "" {
					how = messages.TransitionStateChanged
				}
				if was == "running" {
					is = "degraded"
				}
				state[name] = is
				all = append(all, w.shipped(host((i*hosts+h)%100), name, rev, how, was, is))
			}
			out = append(out, events(host((i*hosts+h)%100), all...))
		}
		return out
	}
	write := func(i int) {
		out, _, err := w.db.Mirror(b.Context(), w.token, batch(i))
		if err != nil {
			b.Fatal(err)
		}
		var queued []int64
		for _, d := range out {
			if len(d.Refused) > 0 || len(d.Queued) != each {
				b.Fatal(d.Refused, len(d.Queued))
			}
			queued = append(queued, ids(d.Queued)...)
		}
		if err := w.db.Acknowledge(b.Context(), queued); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 5 * size / each {
		write(i)
	}
	n := 5 * size / each
	for b.Loop() {
		write(n)
		n++
	}
	b.ReportMetric(float64(b.N*hosts*each)/b.Elapsed().Seconds(), "rows/s")
}
