package tui

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

const hostile = "\x1b]0;pwned\a\x1b[2J\u202e\u009b31m\r\n\x7f"

// poison puts hostile text into every string there is, also of lists and of what is pointed to.
func poison(v reflect.Value) {
	switch v.Kind() { //nolint:exhaustive // other kinds hold no text
	case reflect.String:
		v.SetString(hostile)
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				poison(field)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 { // JSON
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		poison(v.Index(0))
		poison(v.Index(1))
	case reflect.Pointer:
		if v.Type().Elem().Kind() != reflect.Struct || v.Type().Elem().PkgPath() == "time" {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem())
	default:
	}
}

func poisoned[T any]() (x T) {
	poison(reflect.ValueOf(&x).Elem())
	return x
}

// TestNoStringOfAnyDocumentMovesTheTerminal: whichever field a daemon, or who stands in its place, puts an escape into.
func TestNoStringOfAnyDocumentMovesTheTerminal(t *testing.T) {
	f := newFake()
	f.status, f.deckies = poisoned[messages.Status](), poisoned[[]messages.DeckyStatus]()
	f.tables = map[Screen]any{Actors: poisoned[[]messages.ActorStatus](), Crashes: poisoned[[]messages.CrashRecord](),
		DeadLetters: poisoned[[]messages.DeadLetter](), Audit: poisoned[[]messages.AuditEntry]()}
	m := stage(f)
	m.Update(gotEvent{e: poisoned[messages.Event]()})
	for what, rows := range f.tables {
		m.Update(gotTable{what: what, rows: rows})
	}
	m.Update(gotInsight{of: f.deckies[0].Name, it: poisoned[messages.Inspection]()})
	m.say(hostile, true)
	m.subject, m.wide = f.deckies[0], true
	for _, s := range append(slices.Clone(digits), Detail) {
		m.screen = s
		for _, tree := range []bool{false, true} {
			for _, raw := range []bool{false, true} {
				m.tree, m.raw = tree, raw
				frame := m.Frame()
				if i := strings.IndexFunc(frame, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 }); i >= 0 {
					t.Errorf("%s lets a control byte through: %q", s, frame[max(0, i-20):min(len(frame), i+20)])
				}
			}
		}
	}
}
