package tui

import (
	"context"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/decnet/decnet-fleetd/messages"
)

// Once asks for what one screen shows and answers it as text, for a script or a terminal that cannot be drawn on.
func Once(ctx context.Context, cfg Config, width, height int) (string, error) {
	cfg.Plain = true
	m := New(ctx, cfg)
	m.width, m.height = width, height
	status, err := cfg.Daemon.Status(ctx)
	if err != nil {
		return "", err
	}
	m.takeStatus(status)
	if m.deckies, err = cfg.Daemon.Deckies(ctx); err != nil {
		return "", err
	}
	m.takeDeckies(m.deckies)
	m.loadOnce(ctx)
	var lines []string
	for l := range strings.SplitSeq(m.Frame(), "\n") {
		lines = append(lines, strings.TrimRight(ansi.Strip(l), " "))
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// loadOnce fetches what only the chosen screen shows. A table that is not to be had says so on the screen.
func (m *Model) loadOnce(ctx context.Context) {
	switch m.screen {
	case Actors, Crashes, DeadLetters, Audit, Cluster:
		m.tables[m.screen], m.troubles[m.screen] = m.cfg.Daemon.Table(ctx, m.screen)
	case Events:
		m.recall(ctx)
	case Deckies, Detail, Runtime, Help:
	}
}

// recall takes the events the daemon remembers: the stream begins with them and goes on for ever.
func (m *Model) recall(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refresh)
	defer cancel()
	_ = m.cfg.Daemon.Follow(ctx, 0, func(e messages.Event, gap bool) { m.happened(gotEvent{e, gap, ""}) }) // it ends with ctx
}
