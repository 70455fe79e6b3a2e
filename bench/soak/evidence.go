package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"time"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/bench/internal/witness"
	"github.com/decnet/decnet-fleetd/integration/history"
)

// record is the file the subscriber writes, one event a line.
const record = "received.jsonl"

// keepLedger makes the database itself write down every transition.
func keepLedger(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return fmt.Errorf("open %q: %w", path, err)
	}
	defer db.Close() //nolint:errcheck // every statement was its own transaction
	for _, q := range history.KeepLedger("sqlite") {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("keep a ledger: %w", err)
		}
	}
	return nil
}

func readLedger(ctx context.Context, path string) ([]history.Committed, error) {
	db, err := witness.Open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // only read
	rows, err := db.QueryContext(ctx, history.LedgerQuery)
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err has what matters
	var all []history.Committed
	for rows.Next() {
		var c history.Committed
		if err := rows.Scan(&c.EventID, &c.Name, &c.Rev, &c.Topic, &c.Payload); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// readRecord reads the state events the subscriber wrote down.
func readRecord(path string) ([]history.Arrival, error) {
	f, err := os.Open(path) //nolint:gosec // our own
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	return history.ReadRecord(f)
}

// collect gathers everything the checker judges.
func collect(ctx context.Context, h *stage.Host, deckies []stage.Decky) (e history.Evidence, err error) {
	e.Host = "local"
	if e.Arrived, err = readRecord(h.Path(record)); err != nil {
		return e, err
	}
	if e.Ledger, err = readLedger(ctx, h.Path("decnet.db")); err != nil {
		return e, err
	}
	if e.Revs, e.LastIDs, err = h.Revisions(ctx); err != nil {
		return e, err
	}
	if e.Rows, err = h.States(ctx); err != nil {
		return e, err
	}
	e.Truth, err = truth(ctx, h.Engine, deckies)
	return e, err
}

// latency is from the moment the event says its cause was observed to its first arrival.
func latency(all []history.Arrival) report.LatencyCounts {
	seen := map[string]bool{}
	var samples []time.Duration
	for _, a := range all {
		var p struct {
			EventID    string    `json:"event_id"`
			ObservedAt time.Time `json:"observed_at"`
		}
		if json.Unmarshal(a.Payload, &p) != nil || seen[p.EventID] || p.ObservedAt.IsZero() {
			continue // refused by the checker, a repetition, or without a time
		}
		seen[p.EventID] = true
		if d := time.Unix(0, a.At).Sub(p.ObservedAt); d.Abs() < time.Hour { // else the clock had jumped
			samples = append(samples, d)
		}
	}
	q := func(q float64) float64 { return report.Millis(report.Quantile(samples, q)) }
	return report.LatencyCounts{N: len(samples), P50: q(0.5), P99: q(0.99), Max: q(1)}
}
