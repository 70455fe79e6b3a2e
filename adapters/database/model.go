package database

import (
	"strings"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

// deckyRow is a row of fleet_deckies as it is written. Times are text in DECNET's own layout.
type deckyRow struct {
	bun.BaseModel `bun:"table:fleet_deckies"`

	HostUUID    string  `bun:"host_uuid"`
	Name        string  `bun:"name"`
	Services    string  `bun:"services"`
	DeckyConfig *string `bun:"decky_config"`
	DeckyIP     *string `bun:"decky_ip"`
	State       string  `bun:"state"`
	LastError   *string `bun:"last_error"`
	ComposeHash *string `bun:"compose_hash"` // nobody writes it
	LastSeen    *string `bun:"last_seen"`
	UpdatedAt   string  `bun:"updated_at"`
}

type revRow struct {
	bun.BaseModel `bun:"table:fleetd_rev"`

	HostUUID    string `bun:"host_uuid"`
	Name        string `bun:"name"`
	Rev         int64  `bun:"rev"`
	LastEventID string `bun:"last_event_id"`
}

type outboxRow struct {
	bun.BaseModel `bun:"table:fleetd_outbox"`

	ID        int64   `bun:"id,pk,autoincrement"`
	EventID   string  `bun:"event_id"`
	HostUUID  string  `bun:"host_uuid"`
	Name      string  `bun:"name"`
	Rev       int64   `bun:"rev"`
	Topic     string  `bun:"topic"`
	Payload   string  `bun:"payload"`
	CreatedAt string  `bun:"created_at"`
	Parked    *string `bun:"parked"`
}

// literal is text that every engine takes: valid UTF-8 without NUL.
func literal(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// orNull is NULL for "".
func orNull(s string) *string {
	if s = literal(s); s == "" {
		return nil
	}
	return &s
}

// row is the row that c writes: all of it for an INSERT, for an update the columns of its shape. The others then hold
// any value: the row is locked and there, so that the statement's INSERT half never happens.
func (a *attempt) row(c messages.RowChange) deckyRow {
	ip := literal(c.IP)
	r := deckyRow{HostUUID: a.db.cfg.HostUUID, Name: c.Name, Services: literal(c.ServicesJSON),
		DeckyConfig: orNull(c.ConfigJSON), DeckyIP: &ip, State: literal(string(c.State)), UpdatedAt: a.stamp}
	if r.Services == "" {
		r.Services = "[]" // the column takes no NULL and its readers want a list
	}
	if c.SetLastError {
		r.LastError = orNull(clip(c.LastError, maxText))
	}
	if c.Kind == messages.UpdateRow {
		r.LastSeen = &a.stamp // DECNET sets it with a new state and leaves it NULL on INSERT
	}
	return r
}

// shape names the columns an update sets besides updated_at.
type shape struct{ state, content, lastError, config bool }

// columns are those of the shape.
func (s shape) columns() []string {
	all := []string{"updated_at"}
	if s.state {
		all = append(all, "state", "last_seen")
	}
	if s.content {
		all = append(all, "services", "decky_ip")
	}
	if s.content || s.config {
		all = append(all, "decky_config")
	}
	if s.lastError {
		all = append(all, "last_error")
	}
	return all
}

// shapeOf says what c sets on a row. A decky_config that is NULL is filled by the first write that has one.
func shapeOf(c messages.RowChange, hasConfig bool) shape {
	return shape{state: c.SetState, content: c.SetContent, lastError: c.SetLastError,
		config: !hasConfig && c.ConfigJSON != ""}
}

// after is the row as c leaves it.
func (a *attempt) after(c messages.RowChange, before messages.Recorded) messages.Recorded {
	s := shapeOf(c, before.HasConfig)
	if c.Kind == messages.InsertRow {
		s = shape{state: true, content: true, lastError: c.SetLastError}
	}
	r := before
	r.Name = c.Name
	if s.state {
		r.State = string(c.State)
	}
	if s.lastError {
		r.LastError = clip(literal(c.LastError), maxText)
	}
	if !s.content && !s.config {
		return r
	}
	w := a.row(c)
	services := []byte(w.Services)
	if !s.content {
		services = a.rows[c.Name].services
	}
	written := raw{name: []byte(c.Name), services: services, config: []byte(literal(c.ConfigJSON)), hasConfig: w.DeckyConfig != nil}
	var got content
	if s.content && c.Digest != "" && w.Services == c.ServicesJSON && w.DeckyConfig != nil && *w.DeckyConfig == c.ConfigJSON {
		got = a.db.rows.know(written, content{services: c.Services, digest: c.Digest, lastMutated: c.LastMutated})
	} else {
		got = a.db.rows.content(written)
	}
	r.Services, r.HasConfig, r.Digest, r.LastMutated = got.services, w.DeckyConfig != nil, got.digest, got.lastMutated
	if s.content {
		r.IP = clip(literal(c.IP), maxWord)
	}
	return r
}
