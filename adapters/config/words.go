package config

import (
	"slices"
	"strings"
)

// busMode: DECNET knows only on and off, and a bus inside one process for its tests, on which nobody would hear us.
func (l *loader) busMode() BusMode {
	parse := func(v string) (BusMode, string) {
		mode, want := oneOf(string(BusUnix), string(BusEmbedded), string(BusOff))(v)
		return BusMode(mode), want
	}
	ours, enabled, kind := l.candidates(specBus), l.candidates(specBusEnabled), l.candidates(specBusType)
	if theirs := slices.Concat(enabled, kind); oursCount(ours, theirs) {
		return chooseFrom(l, specBus, append(ours, theirs...), BusUnix, parse)
	}
	if l.set.Role == RoleWorker && len(enabled) == 0 && len(kind) == 0 {
		l.note(specBus.key, BusOff, "role worker", ours)
		return BusOff
	}
	if len(enabled) > 0 {
		on, want := boolean(enabled[0].value)
		if want != "" {
			l.bad(specBusEnabled, enabled[0], want)
		}
		if !on {
			l.note(specBus.key, BusOff, enabled[0].source, slices.Concat(enabled[1:], kind, ours))
			return BusOff
		}
	}
	return l.busType(enabled, kind, ours)
}

func (l *loader) busType(enabled, kind, ours []candidate) BusMode {
	if len(kind) == 0 {
		source := "default"
		if len(enabled) > 0 {
			source, enabled = enabled[0].source, enabled[1:]
		}
		l.note(specBus.key, BusUnix, source, append(enabled, ours...))
		return BusUnix
	}
	mode := BusUnix
	word, want := oneOf("unix", "fake")(kind[0].value)
	if want != "" {
		l.bad(specBusType, kind[0], want)
	}
	if word == "fake" {
		mode = BusOff
	}
	l.note(specBus.key, mode, kind[0].source, slices.Concat(kind[1:], enabled, ours))
	return mode
}

// busSocket stays open where nobody named one and somebody else makes it: DECNET's bus may start after us, and its
// directory comes and goes with it.
func (l *loader) busSocket() string {
	socket := l.socket(specBusSocket, l.in.BusSocket)
	if l.set.Bus == BusUnix && l.origins[len(l.origins)-1].Source == "default" {
		return ""
	}
	return socket
}

var levels = oneOf("trace", "debug", "info", "warn", "error")

// logLevel: DECNET has one switch, DECNET_DEVELOPER, which means debug.
func (l *loader) logLevel() string {
	preset := "info"
	ours, developer := l.candidates(specLogLevel), l.candidates(specDeveloper)
	if len(developer) == 0 || oursCount(ours, developer) {
		return chooseFrom(l, specLogLevel, append(ours, developer...), preset, levels)
	}
	if strings.EqualFold(developer[0].value, "true") {
		preset = "debug"
	}
	l.note(specLogLevel.key, preset, developer[0].source, append(developer[1:], ours...))
	return preset
}

func (l *loader) logFormat() string {
	switch {
	case l.in.Journal:
		return "journal"
	case l.in.Terminal:
		return "console"
	}
	return "json"
}
