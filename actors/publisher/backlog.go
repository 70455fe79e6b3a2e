package publisher

import "github.com/decnet/decnet-fleetd/messages"

// backlog knows up to where the outbox has been taken into memory. Rows come by message as they are committed; what
// there is no room for, or what a full mailbox refused, is read from the outbox itself. It is a value without I/O; the
// zero value has read nothing and knows nothing, begin makes it read from the start.
type backlog struct {
	upTo   int64 // the last id taken
	behind bool  // there may be rows above it that were not
	asking bool  // the outbox is being read
	more   bool  // something happened while it was
}

// begin makes the backlog read everything again.
func (b *backlog) begin() { *b = backlog{behind: true} }

// suspect: something may have been missed.
func (b *backlog) suspect() {
	if b.asking {
		b.more = true
		return
	}
	b.behind = true
}

// appended gives the committed rows to take, of which there are at most room.
func (b *backlog) appended(rows []messages.OutboxRow, room int) []messages.OutboxRow {
	rows = b.unseen(rows)
	switch {
	case len(rows) == 0:
		return nil
	case b.behind || b.asking || rows[0].ID != b.upTo+1:
		b.suspect() // a gap is a refused message or a rolled back insert: the outbox knows
		return nil
	}
	return b.take(rows, room)
}

// question is what to ask the outbox for; ok is false where there is nothing to ask. It counts as asked.
func (b *backlog) question(room, memory int) (after int64, limit int, ok bool) {
	if !b.behind || b.asking || room < memory/2 {
		return 0, 0, false
	}
	b.asking, b.behind, b.more = true, false, false
	return b.upTo, room, true
}

// answered gives the rows of the outbox's answer to take.
func (b *backlog) answered(rows []messages.OutboxRow, limit int) []messages.OutboxRow {
	b.asking = false
	b.behind = b.more || len(rows) >= limit
	return b.take(b.unseen(rows), limit)
}

// refused: the outbox could not be read.
func (b *backlog) refused() { b.asking, b.behind = false, true }

func (b *backlog) unseen(rows []messages.OutboxRow) []messages.OutboxRow {
	for len(rows) > 0 && rows[0].ID <= b.upTo {
		rows = rows[1:]
	}
	return rows
}

func (b *backlog) take(rows []messages.OutboxRow, room int) []messages.OutboxRow {
	if len(rows) > room {
		rows, b.behind = rows[:room], true
	}
	if len(rows) > 0 {
		b.upTo = rows[len(rows)-1].ID
	}
	return rows
}
