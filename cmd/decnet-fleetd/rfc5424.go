package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// syslog turns log lines into RFC 5424 as DECNET writes it: facility local0, no structured data, the message and its
// fields as text.
type syslog struct {
	out  io.Writer
	host string
	pid  int
}

func newSyslog(out io.Writer) *syslog {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "-"
	}
	return &syslog{out: out, host: word(host), pid: os.Getpid()}
}

// Source: RFC 5424, table 1: facility local0 is 16, times 8.
const facility = 128

// severity of a level. Source: RFC 5424, table 2; DECNET uses the same.
func severity(l zerolog.Level) int {
	switch {
	case l >= zerolog.FatalLevel && l <= zerolog.PanicLevel:
		return 2
	case l == zerolog.ErrorLevel:
		return 3
	case l == zerolog.WarnLevel:
		return 4
	case l <= zerolog.DebugLevel:
		return 7
	}
	return 6
}

// Write is WriteLevel for a line without a level.
func (s *syslog) Write(p []byte) (int, error) { return s.WriteLevel(zerolog.InfoLevel, p) }

// WriteLevel writes one line. p is a line of JSON; what cannot be read is passed on as text.
func (s *syslog) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	e := readLine(p)
	line := fmt.Sprintf("<%d>1 %s %s decnet-fleetd %d %s - %s\n", facility+severity(level), e.time, s.host, s.pid, e.id, e.text)
	if _, err := io.WriteString(s.out, line); err != nil {
		return 0, err
	}
	return len(p), nil
}

// logLine is a line of JSON in the order of its fields.
type logLine struct {
	time string
	id   string // decnet.fleetd, or decnet.fleetd.<kind of actor>
	text string
}

func readLine(p []byte) logLine {
	e := logLine{time: "-", id: "decnet.fleetd"}
	var message string
	var fields strings.Builder
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		e.text = escape(string(bytes.TrimSpace(p)))
		return e
	}
	for d.More() {
		key, err := d.Token()
		var value any
		if err != nil || d.Decode(&value) != nil {
			break
		}
		switch text := plain(value); key {
		case zerolog.TimestampFieldName:
			e.time = syslogTime(text)
		case zerolog.LevelFieldName:
		case zerolog.MessageFieldName:
			message = text
		case "actor":
			kind, _, _ := strings.Cut(text, "/")
			e.id += "." + word(kind)
			fallthrough
		default:
			fmt.Fprintf(&fields, " %s=%s", word(fmt.Sprint(key)), quoteField(text))
		}
	}
	e.text = escape(message) + fields.String()
	return e
}

func plain(v any) string {
	if s, is := v.(string); is {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(raw)
}

// quoteField keeps the end of a value visible.
func quoteField(s string) string {
	e := escape(s)
	if e == "" || strings.ContainsAny(e, " \"=") {
		return `"` + strings.ReplaceAll(e, `"`, `\"`) + `"`
	}
	return e
}

// syslogTime writes the zone of UTC as DECNET does.
func syslogTime(s string) string {
	t, err := time.Parse(logTime, s)
	if err != nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000") + "+00:00"
}

// word makes text a field of the header: printable ASCII without spaces, not empty. Source: RFC 5424, 6.2.
func word(s string) string {
	const longest = 48 // of APP-NAME, the shortest of the limits that matter
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	if len(s) > longest {
		s = s[:longest]
	}
	return orDash(s)
}
