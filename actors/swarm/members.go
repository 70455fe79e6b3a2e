package swarm

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// readEvery is how often all rows are read, for what others wrote. Source: 50,000 rows take half a second on SQLite.
const readEvery = time.Minute

// MembersConfig is what the members need. All fields are required.
type MembersConfig struct {
	// Peers lists the enrolled hosts as the fabric sees them; nil while it does not stand. It does not block.
	Peers     func() []messages.Peer
	Rows      MirrorReader
	Publisher Teller // gets PublishNow
	View      Teller // gets EventHappened
	Self      messages.Member
	Instance  string
	// Audit puts on record that rows of a host were refused. It must not block.
	Audit func(host, name string, refused []messages.ShipRefusal)
	// Again has a host connect anew, and so list all its rows. It must not block.
	Again func(host string)
	// Own counts the deckies of the hub's own host and says whether it is well. It asks nobody.
	Own func() (deckies int, health string, paused bool)
}

// Members is the hub's actor that knows its workers: who is alive, and what their rows say.
type Members struct {
	cfg     MembersConfig
	all     map[string]*member
	roster  *roster
	reading bool
	saidAt  time.Time
	awake   time.Time // when the last message was handled
}

// member is one host.
type member struct {
	peer     messages.Peer
	enrolled bool
	heardAt  time.Time // by our clock, when the last contact was seen to move
	contact  time.Time // as the fabric says
	left     bool
	status   messages.MemberStatus
	since    messages.Moment
	why      string
	beat     messages.Beat
	skew     float64
	refused  int64
	audited  time.Time
	unsaid   []messages.ShipRefusal
}

// NewMembers returns the actor; give it to a supervise.Spec.
func NewMembers(cfg MembersConfig) *Members {
	return &Members{cfg: cfg, all: map[string]*member{}, roster: newRoster()}
}

// Beaten is a worker's sign of life.
type Beaten struct {
	HostUUID string
	Beat     messages.Beat
}

// GetRows asks the members for the rows of all workers; the answer is a []messages.DeckyStatus by name.
type GetRows struct{}

// GetCounts asks the members for numbers; the answer is a Counts.
type GetCounts struct{}

// Counts are the numbers of a status.
type Counts struct {
	States  map[string]int
	Members map[messages.MemberStatus]int
}

type tableRead struct {
	read messages.MirrorRead
	err  error
}

// Receive handles one message.
func (m *Members) Receive(c *supervise.Ctx, msg any) {
	m.wake(c.Now())
	switch x := msg.(type) {
	case supervise.Started:
		m.read(c)
		m.look(c)
	case supervise.Stopping:
	case messages.Tick:
		if x.Name == "read" {
			m.read(c)
			return
		}
		m.look(c)
	case messages.PeerEvent:
		m.peer(c, x)
	case Beaten:
		m.beaten(c, x)
	case Mirrored:
		m.mirrored(c, x)
	case tableRead:
		m.tableRead(c, x)
	default:
		m.asked(c, msg)
	}
}

func (m *Members) asked(c *supervise.Ctx, msg any) {
	switch msg.(type) {
	case messages.GetMembers:
		c.Respond(m.list(c.Now()))
	case GetRows:
		c.Respond(m.roster.deckies(m.nodeOf))
	case GetCounts:
		n := Counts{States: map[string]int{}, Members: map[messages.MemberStatus]int{}}
		m.roster.states(n.States)
		for _, x := range m.all {
			n.Members[x.status]++
		}
		c.Respond(n)
	}
}

func (m *Members) of(host string) *member {
	x := m.all[host]
	if x == nil {
		x = &member{peer: messages.Peer{Pin: messages.Pin{HostUUID: host}}}
		m.all[host] = x
	}
	return x
}

func (m *Members) peer(c *supervise.Ctx, e messages.PeerEvent) {
	x := m.of(e.HostUUID)
	x.peer, x.left, x.why = e.Peer, !e.Up && e.Graceful, ""
	if !e.Up {
		x.why = e.Why
	} else {
		x.heardAt = c.Now()
	}
	m.judge(c, e.HostUUID, x)
}

func (m *Members) beaten(c *supervise.Ctx, b Beaten) {
	x := m.of(b.HostUUID)
	x.beat, x.heardAt = b.Beat, c.Now()
	if !b.Beat.At.IsZero() {
		x.skew = b.Beat.At.Sub(c.Now()).Seconds()
	}
}

// nodeOf is the name of a host, and whether what is known of it may be old.
func (m *Members) nodeOf(host string) (string, bool) {
	x := m.all[host]
	if x == nil {
		return host, true
	}
	return nameOf(host, x), old(x.status)
}

func (m *Members) mirrored(c *supervise.Ctx, x Mirrored) {
	m.roster.told(x)
	if len(x.Refused) == 0 {
		return
	}
	h := m.of(x.HostUUID)
	h.refused += int64(len(x.Refused))
	h.unsaid = append(h.unsaid, x.Refused[:min(len(x.Refused), 16)]...)
	if now := c.Now(); now.Sub(h.audited) >= auditEvery {
		m.cfg.Audit(x.HostUUID, nameOf(x.HostUUID, h), h.unsaid)
		h.audited, h.unsaid = now, nil
	}
	h.unsaid = h.unsaid[:min(len(h.unsaid), 64)]
}

// auditEvery keeps one host from filling the audit with what it may not say. Chosen: an audit is read by people.
const auditEvery = 10 * time.Second

// read reads all rows; one at a time.
func (m *Members) read(c *supervise.Ctx) {
	if m.reading {
		return
	}
	m.reading = true
	m.roster.reading()
	rows := m.cfg.Rows
	c.Go("read rows", func(ctx context.Context) {
		limited, cancel := context.WithTimeout(ctx, mirrorDeadline)
		defer cancel()
		var r tableRead
		r.read, r.err = rows.MirrorRead(limited)
		c.After(0, r)
	})
}

func (m *Members) tableRead(c *supervise.Ctx, x tableRead) {
	m.reading = false
	if x.err != nil {
		c.Log().Warn().Err(x.err).Msg("rows of workers cannot be read: the lists show what was told")
		m.roster.during = nil
		c.After(supervise.RetryMost, messages.Tick{Name: "read"})
		return
	}
	for host := range m.roster.read(x.read.Rows) {
		if h := m.all[host]; h != nil && h.status == messages.MemberUp {
			c.Log().Info().Str("host", host).Str("member", nameOf(host, h)).Msg("somebody else wrote rows of a worker: it lists them again")
			m.cfg.Again(host)
		}
	}
	c.After(readEvery, messages.Tick{Name: "read"})
}
