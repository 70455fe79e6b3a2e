package main

import (
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
	id := "decnet.fleetd" // or decnet.fleetd.<kind of actor>
	if actor := e.get("actor"); actor != "" {
		kind, _, _ := strings.Cut(actor, "/")
		id += "." + word(kind)
	}
	line := fmt.Sprintf("<%d>1 %s %s decnet-fleetd %d %s - %s\n", facility+severity(level), syslogTime(e.time), s.host, s.pid, id, e.text())
	if _, err := io.WriteString(s.out, line); err != nil {
		return 0, err
	}
	return len(p), nil
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
