package database

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

// readAll reads everything that the deliveries are judged by, and locks the rows.
func (m *mirroring) readAll(ctx context.Context, deliveries []messages.Delivery) error {
	m.waiting, m.twins = map[string]string{}, map[string]string{}
	names, whole, events := map[string][]string{}, map[string]bool{}, []string{}
	for _, d := range deliveries {
		if m.hosts[d.HostUUID] == nil {
			m.order = append(m.order, d.HostUUID)
			m.hosts[d.HostUUID] = &mirrored{host: d.HostUUID, was: map[string]mirrorState{}, known: map[string]memo{}, fresh: map[string]bool{}, touched: map[string]int{}}
		}
		whole[d.HostUUID] = whole[d.HostUUID] || d.Keep != nil || d.Forget
		for _, e := range d.Batch.Events {
			names[d.HostUUID], events = append(names[d.HostUUID], e.Name), append(events, e.EventID)
		}
		if s := d.Batch.Slice; s != nil {
			for _, r := range s.Rows {
				names[d.HostUUID] = append(names[d.HostUUID], r.Name)
			}
		}
	}
	slices.Sort(m.order) // always locked in one order
	for _, host := range m.order {
		if err := m.readHost(ctx, m.hosts[host], names[host], whole[host]); err != nil {
			return err
		}
	}
	if err := m.readWaiting(ctx, events); err != nil {
		return err
	}
	return m.readTwins(ctx, names)
}

func (m *mirroring) readHost(ctx context.Context, h *mirrored, names []string, whole bool) (err error) {
	slices.Sort(names)
	names = slices.Compact(names)
	if whole {
		h.left = true
		if is, err := m.db.enrolled(ctx, m.tx, h.host); err != nil || is {
			if h.left = false; err != nil {
				return err
			}
		}
	}
	also, args := "", []any{h.host}
	if !whole {
		if len(names) == 0 {
			h.now = map[string]mirrorState{}
			return nil
		}
		also, args = " AND name IN (?)", append(args, bun.List(names))
	}
	err = m.db.each(ctx, m.tx, func(rows *sql.Rows) error {
		var name string
		var k memo
		err := rows.Scan(&name, &k.rev, &k.last, &k.origin, &k.originRev)
		h.known[name] = k
		return err
	}, "SELECT name, rev, last_event_id, origin, origin_rev FROM fleetd_mirror WHERE host_uuid = ?"+also, args...)
	if err != nil {
		return err
	}
	var r raw
	err = m.db.each(ctx, m.tx, func(rows *sql.Rows) error {
		if err := scanRaw(rows, &r); err != nil {
			return err
		}
		if string(r.host) == h.host {
			h.was[string(r.name)] = stateOf(r)
		}
		return nil
	}, "SELECT "+rawColumns+" FROM fleet_deckies WHERE host_uuid = ?"+also+m.db.d.lock, args...)
	h.now = maps.Clone(h.was)
	return err
}

func stateOf(r raw) mirrorState {
	s := mirrorState{there: true, services: string(r.services), state: clip(string(r.state), maxWord), ip: textOf(r.ip), lastError: textOf(r.lastError)}
	if r.hasConfig {
		config := string(r.config)
		s.config = &config
	}
	return s
}

func textOf(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

// readWaiting finds which of the events are in the outbox. Its rows are all our own host's: the lane says whose event it
// is.
func (m *mirroring) readWaiting(ctx context.Context, events []string) error {
	if len(events) == 0 {
		return nil
	}
	return m.db.each(ctx, m.tx, func(rows *sql.Rows) error {
		var id, name, topic string
		err := rows.Scan(&id, &name, &topic)
		if m.waiting[id] = m.db.cfg.HostUUID; strings.Contains(name, ":") {
			for _, host := range m.order {
				if strings.HasPrefix(topic, "decky."+messages.Token(host+":")) && strings.HasPrefix(name, host+":") {
					m.waiting[id] = host
				}
			}
		}
		return err
	}, "SELECT event_id, name, topic FROM fleetd_outbox WHERE event_id IN (?)", bun.List(events))
}

// readTwins looks which other host has rows of the names that are to be new. The key begins with the host, so this reads
// all of it: only where something new is among them.
func (m *mirroring) readTwins(ctx context.Context, names map[string][]string) error {
	var fresh []string
	for host, list := range names {
		for _, name := range list {
			if !m.hosts[host].was[name].there {
				fresh = append(fresh, name)
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	strays := false
	err := m.db.each(ctx, m.tx, func(rows *sql.Rows) error {
		var host, name string
		err := rows.Scan(&host, &name)
		m.twins[name] = host
		strays = strays || m.db.d.folds && !slices.Contains(fresh, name)
		return err
	}, "SELECT host_uuid, name FROM fleet_deckies WHERE name IN (?)", bun.List(fresh))
	if err != nil || !strays {
		return err
	}
	return m.readFoldedNames(ctx, fresh)
}

// readFoldedNames asks name by name which other name the column's collation takes for it: D1 is d1.
func (m *mirroring) readFoldedNames(ctx context.Context, fresh []string) error {
	for _, n := range fresh {
		err := m.db.each(ctx, m.tx, func(rows *sql.Rows) error {
			var host, name string
			err := rows.Scan(&host, &name)
			if name != n {
				m.twins[n] = host + ":" + name
			}
			return err
		}, "SELECT host_uuid, name FROM fleet_deckies WHERE name = ?", n)
		if err != nil {
			return err
		}
	}
	return nil
}

// MirrorRead reads the rows of all other hosts, for the hub's lists.
func (db *DB) MirrorRead(ctx context.Context) (messages.MirrorRead, error) {
	var out messages.MirrorRead
	p, err := db.pools(false)
	if err != nil {
		return out, err
	}
	revs := map[[2]string]int64{}
	err = db.each(ctx, p.reader, func(rows *sql.Rows) error {
		var host, name string
		var rev int64
		err := rows.Scan(&host, &name, &rev)
		revs[[2]string{host, name}] = rev
		return err
	}, "SELECT host_uuid, name, rev FROM fleetd_mirror")
	if err != nil {
		return out, db.explain("read the rows of workers", err)
	}
	columns := "SELECT host_uuid, name, SUBSTR(services, 1, 4096), SUBSTR(decky_ip, 1, 255), SUBSTR(state, 1, 255), SUBSTR(last_error, 1, 1024), " +
		"CAST(updated_at AS " + db.d.text + ") FROM fleet_deckies WHERE host_uuid "
	err = db.each(ctx, p.reader, func(rows *sql.Rows) error {
		var host, name, services, ip, state, lastError, updated sql.NullString
		if err := rows.Scan(&host, &name, &services, &ip, &state, &lastError, &updated); err != nil || len(out.Rows) >= maxRows || checkName(name.String) != "" {
			return err
		}
		r := messages.MirrorRow{HostUUID: host.String, Name: name.String, State: clip(state.String, maxWord), Services: services.String, IP: ip.String,
			LastError: lastError.String, Rev: revs[[2]string{host.String, name.String}]}
		if at, err := time.Parse(readLayout, updated.String); err == nil {
			r.UpdatedAt = messages.Moment{Time: at}
		}
		out.Rows = append(out.Rows, r)
		return nil
	}, columns+"< ? UNION ALL "+columns+"> ?", db.cfg.HostUUID, db.cfg.HostUUID)
	return out, db.explain("read the rows of workers", err)
}
