package database

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

// readAll reads everything that the deliveries are judged by, and locks the rows.
func (m *mirroring) readAll(ctx context.Context, deliveries []messages.Delivery) error {
	m.waiting, m.twins = map[string]string{}, map[string]string{}
	names, whole := map[string][]string{}, map[string]bool{}
	for _, d := range deliveries {
		if m.hosts[d.HostUUID] == nil {
			m.order = append(m.order, d.HostUUID)
			m.hosts[d.HostUUID] = &mirrored{host: d.HostUUID, was: map[string]mirrorState{}, now: map[string]mirrorState{}, known: map[string]memo{}, fresh: map[string]bool{}, touched: map[string]int{}}
		}
		whole[d.HostUUID] = whole[d.HostUUID] || d.Keep != nil || d.Forget
		for _, e := range d.Batch.Events {
			names[d.HostUUID] = append(names[d.HostUUID], e.Name)
		}
		if s := d.Batch.Slice; s != nil {
			for _, r := range s.Rows {
				names[d.HostUUID] = append(names[d.HostUUID], r.Name)
			}
		}
	}
	slices.Sort(m.order)
	for host, list := range names { // one that is there twice would look like a new one to readTwins
		slices.Sort(list)
		names[host] = slices.Compact(list)
	}
	if err := m.readEnrolled(ctx, whole); err != nil {
		return err
	}
	if err := m.readRows(ctx, m.scope(names, whole)); err != nil {
		return err
	}
	if err := m.readWaiting(ctx, m.doubtful(deliveries)); err != nil {
		return err
	}
	return m.readTwins(ctx, names)
}

// readEnrolled finds out which of the hosts that are read as a whole are enrolled no longer.
func (m *mirroring) readEnrolled(ctx context.Context, whole map[string]bool) error {
	for host, is := range whole {
		if !is {
			continue
		}
		enrolled, err := m.db.enrolled(ctx, m.tx, host)
		if err != nil {
			return err
		}
		m.hosts[host].left = !enrolled
	}
	return nil
}

// scope is a condition for rows of several hosts, with its arguments.
type scope struct {
	where string
	args  []any
}

// scope selects the names given of each host, of a whole one all rows. Its terms are what every engine looks up in the key.
func (m *mirroring) scope(names map[string][]string, whole map[string]bool) (s scope) {
	var terms []string
	for _, host := range m.order {
		switch list := names[host]; {
		case whole[host]:
			terms, s.args = append(terms, "host_uuid = ?"), append(s.args, host)
		case len(list) > 0:
			terms, s.args = append(terms, "host_uuid = ? AND name IN (?)"), append(s.args, host, bun.List(list))
		}
	}
	s.where = "(" + strings.Join(terms, ") OR (") + ")"
	return s
}

// readRows reads what the hosts reported and what the table has of it. The rows are locked in one order.
func (m *mirroring) readRows(ctx context.Context, s scope) error {
	if len(s.args) == 0 {
		return nil
	}
	err := m.db.each(ctx, m.tx, func(rows *sql.Rows) error {
		var host, name string
		var k memo
		err := rows.Scan(&host, &name, &k.rev, &k.last, &k.origin, &k.originRev)
		if h := m.hosts[host]; h != nil {
			h.known[name] = k
		}
		return err
	}, "SELECT host_uuid, name, rev, last_event_id, origin, origin_rev FROM fleetd_mirror WHERE "+s.where, s.args...)
	if err != nil {
		return err
	}
	var r raw
	return m.db.each(ctx, m.tx, func(rows *sql.Rows) error {
		if err := scanRaw(rows, &r); err != nil {
			return err
		}
		if h := m.hosts[string(r.host)]; h != nil {
			h.was[string(r.name)] = stateOf(r)
			h.now[string(r.name)] = h.was[string(r.name)]
		}
		return nil
	}, "SELECT "+rawColumns+" FROM fleet_deckies WHERE "+s.where+" ORDER BY host_uuid, name"+m.db.d.lock, s.args...)
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

// doubtful are the events that may wait in the outbox already. One of a revision above all that its origin has shipped does
// not, unless it has the id of another: then it cannot be written.
func (m *mirroring) doubtful(deliveries []messages.Delivery) (events []string) {
	for _, d := range deliveries {
		h := m.hosts[d.HostUUID]
		for _, e := range d.Batch.Events {
			if k := h.known[e.Name]; m.wary || d.Batch.Origin == "" || k.origin != d.Batch.Origin || e.Rev <= k.originRev {
				events = append(events, e.EventID)
			}
		}
	}
	return events
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
