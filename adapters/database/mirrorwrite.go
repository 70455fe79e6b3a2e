package database

import (
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

type mirrorRow struct {
	bun.BaseModel `bun:"table:fleetd_mirror"`

	HostUUID    string `bun:"host_uuid"`
	Name        string `bun:"name"`
	Rev         int64  `bun:"rev"`
	LastEventID string `bun:"last_event_id"`
	Origin      string `bun:"origin"`
	OriginRev   int64  `bun:"origin_rev"`
}

// harvest is what the judgements came to, by the statement that writes it.
type harvest struct {
	fresh, changed []deckyRow
	flips          map[string][]string // names by their new state, where nothing else changes
	gone           []string
}

// writeAll writes what the judgements came to: statements for all hosts at once where the engine allows it.
func (m *mirroring) writeAll(ctx context.Context) error {
	var all harvest
	var memos []mirrorRow
	for _, host := range m.order {
		h := m.hosts[host]
		x := m.harvest(h)
		all.fresh, all.changed = append(all.fresh, x.fresh...), append(all.changed, x.changed...)
		for name := range h.fresh {
			k := h.known[name]
			memos = append(memos, mirrorRow{HostUUID: host, Name: name, Rev: k.rev, LastEventID: k.last, Origin: k.origin, OriginRev: k.originRev})
		}
		if err := m.writeHost(ctx, host, x.flips, x.gone); err != nil {
			return err
		}
	}
	if len(all.fresh) > 0 { // no upsert: of two new names that a collation takes for one, the second must not overwrite the first
		if err := m.insert(ctx, m.tx.NewInsert().Model(&all.fresh)); err != nil {
			return err
		}
	}
	return m.writeRows(ctx, all.changed, memos)
}

// harvest sorts the rows of a host.
func (m *mirroring) harvest(h *mirrored) harvest {
	x := harvest{flips: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(h.touched)) {
		was, now := h.was[name], h.now[name]
		switch {
		case !now.there:
			if was.there {
				x.gone = append(x.gone, name)
			}
		case !was.there:
			x.fresh = append(x.fresh, now.row(h.host, name, m.stamp))
		case was.sameAs(now, m.db.cfg.Digest):
		case text(was.lastError) == text(now.lastError) && was.contentAs(now, m.db.cfg.Digest):
			x.flips[now.state] = append(x.flips[now.state], name)
		default:
			x.changed = append(x.changed, now.row(h.host, name, m.stamp))
		}
	}
	return x
}

func (m *mirroring) writeHost(ctx context.Context, host string, flips map[string][]string, gone []string) error {
	for _, state := range slices.Sorted(maps.Keys(flips)) {
		if _, err := m.exec(ctx, "UPDATE fleet_deckies SET state = ?, last_seen = ?, updated_at = ? WHERE host_uuid = ? AND name IN (?)",
			state, m.stamp, m.stamp, host, bun.List(flips[state])); err != nil {
			return err
		}
	}
	if len(gone) == 0 {
		return nil
	}
	_, err := m.exec(ctx, "DELETE FROM fleet_deckies WHERE host_uuid = ? AND name IN (?)", host, bun.List(gone))
	return err
}

func (m *mirroring) writeRows(ctx context.Context, rows []deckyRow, memos []mirrorRow) error {
	if len(rows) > 0 {
		err := m.upsert(ctx, m.tx.NewInsert().Model(&rows), []string{"services", "decky_config", "decky_ip", "state", "last_error", "last_seen", "updated_at"})
		if err != nil {
			return err
		}
	}
	if len(memos) > 0 {
		err := m.upsert(ctx, m.tx.NewInsert().Model(&memos), []string{"rev", "last_event_id", "origin", "origin_rev"})
		if err != nil {
			return err
		}
	}
	if !m.db.cfg.Queue {
		return m.announce()
	}
	if err := m.enqueue(ctx); err != nil {
		return err
	}
	return m.readQueued(ctx)
}

// row is the row as it is written. Its time is the hub's: DECNET's readers and our own compare it with the hub's clock.
func (s mirrorState) row(host, name, stamp string) deckyRow {
	return deckyRow{HostUUID: host, Name: name, Services: s.services, DeckyConfig: s.config, DeckyIP: s.ip, State: s.state, LastError: s.lastError,
		LastSeen: s.lastSeen, UpdatedAt: stamp}
}

// MirrorNames gives the names of the rows of another host, ascending, for who asks what a Forget would remove.
func (db *DB) MirrorNames(ctx context.Context, host string) ([]string, error) {
	p, err := db.pools(false)
	if err != nil {
		return nil, err
	}
	if is, err := db.enrolled(ctx, p.reader, host); err != nil || is {
		if is {
			err = messages.ErrEnrolled
		}
		return nil, db.explain("look for the host", err)
	}
	names, err := db.words(ctx, p.reader, "SELECT name FROM fleet_deckies WHERE host_uuid = ? ORDER BY name LIMIT ?", host, maxRows)
	if err == nil && len(names) == 0 {
		return nil, messages.ErrNoSuchHost
	}
	return names, db.explain("read the rows of a worker", err)
}
