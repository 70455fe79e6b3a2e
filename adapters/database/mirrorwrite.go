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
	flips          map[string]map[string][]string // names by their new state and host, where nothing else changes
	gone           map[string][]string            // names by host
}

// writeAll writes what the judgements came to: one statement of a kind for all hosts.
func (m *mirroring) writeAll(ctx context.Context) error {
	all := harvest{flips: map[string]map[string][]string{}, gone: map[string][]string{}}
	var memos []mirrorRow
	for _, host := range m.order {
		h := m.hosts[host]
		m.harvest(h, &all)
		for name := range h.fresh {
			k := h.known[name]
			memos = append(memos, mirrorRow{HostUUID: host, Name: name, Rev: k.rev, LastEventID: k.last, Origin: k.origin, OriginRev: k.originRev})
		}
	}
	if err := m.writeTerse(ctx, all); err != nil {
		return err
	}
	if len(all.fresh) > 0 { // no upsert: of two new names that a collation takes for one, the second must not overwrite the first
		if err := m.insert(ctx, m.tx.NewInsert().Model(&all.fresh)); err != nil {
			return err
		}
	}
	return m.writeRows(ctx, all.changed, memos)
}

// harvest sorts the rows of a host.
func (m *mirroring) harvest(h *mirrored, x *harvest) {
	for _, name := range slices.Sorted(maps.Keys(h.touched)) {
		was, now := h.was[name], h.now[name]
		switch {
		case !now.there:
			if was.there {
				x.gone[h.host] = append(x.gone[h.host], name)
			}
		case !was.there:
			x.fresh = append(x.fresh, now.row(h.host, name, m.stamp))
		case was.sameAs(now, m.db.cfg.Digest):
		case text(was.lastError) == text(now.lastError) && was.contentAs(now, m.db.cfg.Digest):
			if x.flips[now.state] == nil {
				x.flips[now.state] = map[string][]string{}
			}
			x.flips[now.state][h.host] = append(x.flips[now.state][h.host], name)
		default:
			x.changed = append(x.changed, now.row(h.host, name, m.stamp))
		}
	}
}

// writeTerse writes what needs no row sent, only its name.
func (m *mirroring) writeTerse(ctx context.Context, all harvest) error {
	for _, state := range slices.Sorted(maps.Keys(all.flips)) {
		s := m.scope(all.flips[state], nil)
		_, err := m.exec(ctx, "UPDATE fleet_deckies SET state = ?, last_seen = ?, updated_at = ? WHERE "+s.where, append([]any{state, m.stamp, m.stamp}, s.args...)...)
		if err != nil {
			return err
		}
	}
	if len(all.gone) == 0 {
		return nil
	}
	s := m.scope(all.gone, nil)
	_, err := m.exec(ctx, "DELETE FROM fleet_deckies WHERE "+s.where, s.args...)
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
