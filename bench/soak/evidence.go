package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"time"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/bench/internal/subscriber"
	"github.com/decnet/decnet-fleetd/bench/internal/witness"
)

// record is the file the subscriber writes, one event a line.
const record = "received.jsonl"

// keepLedger makes the database itself write down every transition, in the transaction that commits it: the outbox forgets
// what was acknowledged.
func keepLedger(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return fmt.Errorf("open %q: %w", path, err)
	}
	defer db.Close() //nolint:errcheck // every statement was its own transaction
	for _, q := range []string{
		"CREATE TABLE soak_ledger (id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT, name TEXT, rev INTEGER, topic TEXT, payload TEXT)",
		`CREATE TRIGGER soak_ledger_keeps AFTER INSERT ON fleetd_outbox BEGIN
			INSERT INTO soak_ledger (event_id, name, rev, topic, payload) VALUES (new.event_id, new.name, new.rev, new.topic, new.payload);
		END`,
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("keep a ledger: %w", err)
		}
	}
	return nil
}

func readLedger(ctx context.Context, path string) ([]committed, error) {
	db, err := witness.Open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // only read
	rows, err := db.QueryContext(ctx, "SELECT event_id, name, rev, topic, payload FROM soak_ledger ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err has what matters
	var all []committed
	for rows.Next() {
		var c committed
		if err := rows.Scan(&c.EventID, &c.Name, &c.Rev, &c.Topic, &c.Payload); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// readRecord reads the state events the subscriber wrote down. A line that cannot be read is an event of nobody, for the
// checker to refuse.
func readRecord(path string) ([]arrival, error) {
	f, err := os.Open(path) //nolint:gosec // our own
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	var all []arrival
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e subscriber.Entry
		var envelope struct {
			Topic, Type string
			Payload     json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read %q: %w: %.200s", path, err, lines.Bytes())
		}
		if len(e.Event) > 0 {
			if err := json.Unmarshal(e.Event, &envelope); err != nil {
				return nil, fmt.Errorf("envelope on %s: %w: %.200s", e.Topic, err, e.Event)
			}
		}
		if isState := (stage.Received{Topic: e.Topic}).IsState(); isState || envelope.Type == "state" {
			all = append(all, arrival{At: e.At, Topic: e.Topic, Payload: envelope.Payload})
		}
	}
	return all, lines.Err()
}

// collect gathers everything the checker judges.
func collect(ctx context.Context, h *stage.Host, deckies []stage.Decky) (e evidence, err error) {
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
func latency(all []arrival) report.LatencyCounts {
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
		samples = append(samples, time.Unix(0, a.At).Sub(p.ObservedAt))
	}
	q := func(q float64) float64 { return report.Millis(report.Quantile(samples, q)) }
	return report.LatencyCounts{N: len(samples), P50: q(0.5), P99: q(0.99), Max: q(1)}
}

// kind is the transition and the state it led to.
func kind(content string) string {
	var p payload
	if json.Unmarshal([]byte(content), &p) != nil {
		return "undecodable"
	}
	return p.Transition + " " + p.State
}
