package supervise

import (
	"context"
	"errors"
	"log/slog"

	"github.com/rs/zerolog"
)

// bridge hands to zerolog what hollywood logs through slog's default.
type bridge struct {
	to     zerolog.Logger
	prefix string // of open groups
}

// Enabled implements slog.Handler.
func (b bridge) Enabled(_ context.Context, level slog.Level) bool {
	l := zerologLevel(level)
	return l >= b.to.GetLevel() && l >= zerolog.GlobalLevel()
}

// Handle implements slog.Handler.
//
// It is guarded because hollywood calls it in an actor of its own, outside of any shell: a panic there ends the daemon.
func (b bridge) Handle(_ context.Context, r slog.Record) error {
	if failed := guard(func() { b.write(r) }); failed != nil {
		return errors.New("supervise: log: " + failed.reason)
	}
	return nil
}

func (b bridge) write(r slog.Record) {
	event := b.to.WithLevel(zerologLevel(r.Level))
	r.Attrs(func(a slog.Attr) bool {
		event.Str(b.prefix+a.Key, clip(a.Value.Resolve().String(), maxMessage))
		return true
	})
	event.Msg(clip(r.Message, maxMessage))
}

// WithAttrs implements slog.Handler.
func (b bridge) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := b.to.With()
	for _, a := range attrs {
		with = with.Str(b.prefix+a.Key, clip(a.Value.Resolve().String(), maxMessage))
	}
	b.to = with.Logger()
	return b
}

// WithGroup implements slog.Handler.
func (b bridge) WithGroup(group string) slog.Handler {
	if group != "" {
		b.prefix += group + "."
	}
	return b
}

func zerologLevel(level slog.Level) zerolog.Level {
	switch {
	case level >= slog.LevelError:
		return zerolog.ErrorLevel
	case level >= slog.LevelWarn:
		return zerolog.WarnLevel
	case level >= slog.LevelInfo:
		return zerolog.InfoLevel
	}
	return zerolog.DebugLevel
}
