package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/decnet/decnet-fleetd/messages"
)

// Times of the console; chosen for an eye that watches.
const (
	refresh  = time.Second
	patience = 5 * time.Second
	again    = time.Second
	// bigFleet deckies are a list of megabytes: it is fetched a fifth as often.
	bigFleet = 2000
)

// What comes back from the daemon.
type (
	ticked    time.Time
	gotStatus struct {
		it messages.Status
		of string
	}
	gotDeckies struct {
		all []messages.DeckyStatus
		of  string
	}
	gotTable struct {
		what Screen
		rows any
		err  error
		of   string
	}
	gotInsight struct {
		of  string
		it  messages.Inspection
		err error
	}
	gotEvent struct {
		e   messages.Event
		gap bool
		of  string // host that was asked
	}
	lostDaemon struct {
		err error
		of  string
	}
	acted struct {
		verb    string
		results []messages.ActionResult
		err     error
	}
)

func tick() tea.Cmd { return tea.Tick(refresh, func(t time.Time) tea.Msg { return ticked(t) }) }

// bounded runs a question under its deadline.
func (m *Model) bounded(f func(ctx context.Context) tea.Msg) tea.Cmd {
	parent := m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(parent, patience)
		defer cancel()
		return f(ctx)
	}
}

// fetch asks for what the present screen shows, and for the status, which the header always shows.
func (m *Model) fetch() tea.Cmd {
	d, of := m.daemon(), m.scope.HostUUID
	cmds := []tea.Cmd{m.bounded(func(ctx context.Context) tea.Msg {
		s, err := d.Status(ctx)
		if err != nil {
			return lostDaemon{err, of}
		}
		return gotStatus{s, of}
	})}
	switch m.screen {
	case Deckies:
		if m.due(Deckies, len(m.deckies) > bigFleet) {
			cmds = append(cmds, m.fetchDeckies())
		}
	case Actors, Crashes, DeadLetters, Audit:
		cmds = append(cmds, m.fetchTable(d, m.screen))
	case Cluster: // the hub knows it
		cmds = append(cmds, m.fetchTable(m.cfg.Daemon, Cluster))
	case Detail:
		subject := m.subject
		cmds = append(cmds, m.bounded(func(ctx context.Context) tea.Msg {
			it, err := d.Inspect(ctx, subject)
			return gotInsight{subject.Name, it, err}
		}))
	case Events, Runtime, Help:
	}
	return tea.Batch(cmds...)
}

func (m *Model) fetchTable(d Daemon, what Screen) tea.Cmd {
	of := m.scope.HostUUID
	return m.bounded(func(ctx context.Context) tea.Msg {
		rows, err := d.Table(ctx, what)
		return gotTable{what, rows, err, of}
	})
}

func (m *Model) fetchDeckies() tea.Cmd {
	d, of := m.daemon(), m.scope.HostUUID
	return m.bounded(func(ctx context.Context) tea.Msg {
		all, err := d.Deckies(ctx)
		if err != nil {
			return lostDaemon{err, of}
		}
		return gotDeckies{all, of}
	})
}

// due says whether a list should be fetched again now.
func (m *Model) due(s Screen, big bool) bool {
	wait := time.Duration(0)
	if big {
		wait = 5 * refresh
	}
	now := m.cfg.Now()
	if last := m.fetched[s]; !last.IsZero() && now.Sub(last) < wait {
		return false
	}
	m.fetched[s] = now
	return true
}

// follow starts the stream of events; it hands over through the channel that next reads. It ends with ctx, and when the
// daemon goes it waits a moment and comes back.
func (m *Model) follow() tea.Cmd {
	d, out, since, of := m.daemon(), m.stream, m.seq, m.scope.HostUUID
	ctx, stop := context.WithCancel(m.ctx)
	m.stop = stop
	return func() tea.Msg {
		for ctx.Err() == nil {
			err := d.Follow(ctx, since, func(e messages.Event, gap bool) {
				since = max(since, e.Seq)
				select {
				case out <- gotEvent{e, gap, of}:
				case <-ctx.Done():
				}
			})
			if err != nil && ctx.Err() == nil {
				select {
				case out <- lostDaemon{err, of}:
				case <-ctx.Done():
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(again): //nolint:forbidigo // a pause between attempts, ended by the context
			}
		}
		return nil
	}
}

// next waits for the next event.
func (m *Model) next() tea.Cmd {
	ctx, in := m.ctx, m.stream
	return func() tea.Msg {
		select {
		case msg := <-in:
			return msg
		case <-ctx.Done():
			return nil
		}
	}
}

func (m *Model) act(o order) tea.Cmd {
	d := m.daemon()
	if ofHosts(o.verb) {
		d = m.cfg.Daemon // the hub does it
	}
	return m.bounded(func(ctx context.Context) tea.Msg {
		results, err := d.Act(ctx, o.verb, o.targets, o.reason)
		return acted{o.verb, results, err}
	})
}
