package main

import (
	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/view"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

var _ view.Feed = loggedFeed{}

// loggedFeed writes every committed transition to the log as well, with the number it has in the list of events.
type loggedFeed struct {
	*console.Feed
	log zerolog.Logger
}

// Append adds an event.
func (f loggedFeed) Append(e messages.Event) {
	f.Feed.Append(e)
	switch e.Type {
	case "inserted", "deleted", "state_changed", "config_changed":
		f.log.Info().Str("decky", e.Target).Str("transition", e.Type).Str("from", e.From).Str("to", e.To).Str("reason", e.Cause).
			Int64("seq", f.Last()).Msg(messageChanged)
	}
}
