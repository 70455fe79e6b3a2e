package database

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/adapters/crashpoint"
	"github.com/decnet/decnet-fleetd/messages"
)

// txLimit is how many statement deadlines a transaction may take: on a server that answers each within 2 s the eight
// of a batch still fit.
const txLimit = 4

// Apply writes one batch under the lease token: the rows, their revisions and their outbox entries become durable
// together or not at all. Names are unique within a batch; replies are in its order, outbox rows in that of their
// commit. The error is messages.ErrFenced if another process took the lease, wraps messages.ErrSchema if a table is
// missing, and is Retryable if the same call may simply be made again: a change that an earlier, unanswered call
// committed is recognized by its EventID and answered, not repeated.
func (db *DB) Apply(ctx context.Context, token int64, batch []messages.RowChange) ([]messages.RowReply, []messages.OutboxRow, error) {
	if len(batch) == 0 {
		return nil, nil, nil
	}
	a, err := db.attempt(ctx, token, batch)
	if again(db, err) {
		a, err = db.attempt(ctx, token, batch)
	}
	if k := kindOf(err); len(batch) > 1 && (k == kindDuplicate || k == kindValue) {
		return db.applyApart(ctx, token, batch)
	}
	if kindOf(err) == kindValue {
		c := batch[0]
		return []messages.RowReply{{Name: c.Name, Seq: c.Seq, Kind: c.Kind, SetState: c.SetState, Outcome: messages.Unwritable,
			Why: err.Error(), At: db.cfg.Now()}}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return a.replies, a.queued, nil
}

// again says that a second attempt sees what the first one stumbled over: a row that somebody was first to insert, or
// a table that is no longer there.
func again(db *DB, err error) bool {
	k := kindOf(err)
	return k == kindDuplicate || k == kindSchema && !db.lifecycle.Load()
}

// applyApart writes each change by itself. It is for two names of one batch that the column's collation takes for one:
// then the second finds the first; and for a change that the database refuses, which must not keep the others from it.
func (db *DB) applyApart(ctx context.Context, token int64, batch []messages.RowChange) ([]messages.RowReply, []messages.OutboxRow, error) {
	var replies []messages.RowReply
	var queued []messages.OutboxRow
	for i := range batch {
		r, q, err := db.Apply(ctx, token, batch[i:i+1])
		if err != nil {
			return nil, nil, err
		}
		replies, queued = append(replies, r...), append(queued, q...)
	}
	return replies, queued, nil
}

// attempt is one transaction.
type attempt struct {
	db    *DB
	tx    bun.Tx
	batch []messages.RowChange
	now   time.Time
	stamp string // now, as every row of the batch has it

	rows  map[string]found
	revs  map[string]revRow
	twins map[string]string
	holds []messages.Hold

	replies []messages.RowReply
	writes  writes
	queued  []messages.OutboxRow
	grown   grown
	held    time.Duration // from BEGIN to COMMIT, when others could not write
}

func (db *DB) attempt(ctx context.Context, token int64, batch []messages.RowChange) (*attempt, error) {
	return db.durably(ctx, "write rows", func(ctx context.Context, a *attempt) error {
		a.batch = batch
		return a.run(ctx, token)
	})
}

// durably does work in one transaction and commits it. What it put into the outbox counts only then.
func (db *DB) durably(ctx context.Context, what string, work func(context.Context, *attempt) error) (*attempt, error) {
	p, err := db.pools(false)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, txLimit*db.cfg.Timeout)
	defer cancel()
	tx, err := db.begin(ctx, p)
	if err != nil {
		return nil, db.explain(what, err)
	}
	defer rollback(tx)
	crashpoint.At(crashpoint.Begun)
	now := db.cfg.Now()
	a := &attempt{db: db, tx: tx, now: now, stamp: stamp(now)}
	if err := work(ctx, a); err != nil {
		return nil, db.explain(what, err)
	}
	crashpoint.At(crashpoint.Committing)
	if err := tx.Commit(); err != nil {
		return nil, db.explain(what+": commit", err)
	}
	crashpoint.At(crashpoint.Committed)
	a.held = db.cfg.Now().Sub(now)
	db.outbox.add(a.grown)
	db.coalesced.Add(a.grown.merged)
	return a, nil
}

// begin gives BEGIN the deadline of a statement; the transaction lives as long as ctx.
func (db *DB) begin(ctx context.Context, p *pools) (bun.Tx, error) {
	short, done := db.bounded(ctx)
	defer done()
	by, _ := short.Deadline()
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(db.cfg.Timeout, func() { cancel(context.DeadlineExceeded) })
	tx, err := p.writer.BeginTx(beginning{ctx, by}, txOptions(db.d)) //nolint:contextcheck // it is ctx with another deadline
	if !late.Stop() {                                                // what began is rolled back with its context
		return tx, errors.Join(context.Cause(ctx), err)
	}
	return tx, err
}

// beginning says how long BEGIN may take to a driver that only asks for the deadline and hears no end: pgdriver.
type beginning struct {
	context.Context //nolint:containedctx // it is one, for a single call
	by              time.Time
}

// Deadline is that of BEGIN, not of the transaction.
func (b beginning) Deadline() (time.Time, bool) { return b.by, true }

// txOptions are those of a transaction that writes.
func txOptions(d *dialect) *sql.TxOptions { return &sql.TxOptions{Isolation: d.isolation} }

// run fences first: an owner that lost the lease reads nothing and waits for no row.
func (a *attempt) run(ctx context.Context, token int64) error {
	if err := a.fence(ctx, token); err != nil {
		return err
	}
	if err := a.readState(ctx); err != nil {
		return err
	}
	for i := range a.batch {
		a.settle(a.batch[i])
	}
	return a.write(ctx)
}

// fence keeps the lease until the commit, or says that it is somebody else's.
func (a *attempt) fence(ctx context.Context, token int64) error {
	n, err := a.exec(ctx, "UPDATE fleetd_lease SET beat = beat + 1 WHERE host_uuid = ? AND token = ?", a.db.cfg.HostUUID, token)
	if err == nil && n != 1 {
		return messages.ErrFenced
	}
	return err
}

// exec runs one statement of the transaction and says how many rows it matched.
func (a *attempt) exec(ctx context.Context, query string, args ...any) (int64, error) {
	ctx, cancel := a.db.bounded(ctx)
	defer cancel()
	res, err := a.tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// settle judges one change, answers it and puts what is to be written to the writes.
func (a *attempt) settle(c messages.RowChange) {
	have, there := a.rows[c.Name]
	rev := a.revs[c.Name]
	held := holding(c, a.holds, a.now)
	done := rev.LastEventID != "" && rev.LastEventID == c.EventID
	r := messages.RowReply{Name: c.Name, Seq: c.Seq, Kind: c.Kind, SetState: c.SetState, At: a.now, Presence: messages.Absent}
	if there {
		r.Presence, r.Row = messages.Present, have.row
	}
	r.Outcome = judge(c, situation{done: done, there: there, state: have.row.State, twin: a.twins[c.Name], held: len(held) > 0})
	switch r.Outcome {
	case messages.Committed:
		r.Rev = rev.Rev
		if done {
			a.writes.done = append(a.writes.done, c.EventID)
			break
		}
		r.Rev = max(rev.Rev, a.db.outbox.revFloor()) + 1
		a.plan(c, have, r.Rev)
		if r.Presence, r.Row = messages.Absent, (messages.Recorded{}); c.Kind != messages.DeleteRow {
			r.Presence, r.Row = messages.Present, a.after(c, have.row)
		}
	case messages.HeldBack:
		r.Holds = held
	case messages.Twinned:
		r.Twin = a.twins[c.Name]
	case messages.Refused, messages.Withdrawn, messages.Unwritable: // the last two are never a verdict
	}
	a.replies = append(a.replies, r)
}
