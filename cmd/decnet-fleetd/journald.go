package main

import (
	"io"
	"strconv"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/journal"
)

// The kinds of events a catalog explains: deploy/decnet-fleetd.catalog has a text for each. An id never changes its
// meaning. Chosen: random, as systemd-id128 new makes them.
const (
	idPanic      = "5c0f6d1a9e3b4c7f8a21d4e6b0937f11"
	idQuarantine = "a7e2b84c51d0463f9c6e1f7d20b8a522"
	idDrift      = "0d94c3f7e6284b5ab13f8d5e47c6a933"
	idReload     = "e1b65a08f7c94d12a4d39b6c82f05e44"
)

// Messages that belong to one of these kinds.
const (
	messageChanged   = "fleet changed"
	messageReloaded  = "configuration reloaded"
	messageNotLoaded = "configuration not reloaded: the old one stays in force"
)

// messageID is the kind of a line; "" if it is none of these.
func messageID(e logLine) string {
	switch e.message {
	case messageChanged:
		return idDrift
	case messageReloaded, messageNotLoaded:
		return idReload
	case "root supervisor panicked", "observer of actor events panicked":
		return idPanic
	case "actor supervised":
		switch e.get("event") {
		case "quarantined":
			return idQuarantine
		case "restarting", "escalated", "storm":
			return idPanic
		}
	}
	return ""
}

// journald writes log lines as entries with fields; what it cannot write goes to where the journal reads lines too.
type journald struct {
	to       *journal.Writer
	fallback io.Writer
}

// Write is WriteLevel for a line without a level.
func (j *journald) Write(p []byte) (int, error) { return j.WriteLevel(zerolog.InfoLevel, p) }

// WriteLevel writes one line of JSON.
func (j *journald) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if err := j.to.Send(entry(level, readLine(p))); err != nil {
		return j.fallback.Write(p)
	}
	return len(p), nil
}

// mostFields bounds an entry. Chosen: our longest line has a dozen.
const mostFields = 32

// entry gives a line the fields by which it is looked for.
func entry(level zerolog.Level, e logLine) []journal.Field {
	out := []journal.Field{
		{Name: "MESSAGE", Value: e.text()}, {Name: "PRIORITY", Value: strconv.Itoa(severity(level))}, {Name: "SYSLOG_IDENTIFIER", Value: "decnet-fleetd"},
	}
	if id := messageID(e); id != "" {
		out = append(out, journal.Field{Name: "MESSAGE_ID", Value: id})
	}
	for _, f := range e.fields {
		if len(out) == mostFields {
			break
		}
		name := "DECNET_" + journal.Name(f.key)
		if f.key == "error" {
			name = "ERROR"
		}
		value := escape(f.text)
		if f.key == "stack" {
			value = escapeLines(f.text, maxCell) // the one text that may have lines
		}
		out = append(out, journal.Field{Name: name, Value: value})
	}
	return out
}
