package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/config"
)

// logTime has the six digits of DECNET's own timestamps.
const logTime = "2006-01-02T15:04:05.000000Z07:00"

// logger writes to stderr in the format of the settings. The file DECNET_SYSTEM_LOGS names gets RFC 5424 lines as well
// where file is true: the daemon's log is part of DECNET's, a person's command is not.
// It goes to others too, as JSON.
func (a *app) logger(s config.Settings, file bool, others ...io.Writer) (zerolog.Logger, error) {
	// zerolog has these for the whole process only.
	zerolog.TimeFieldFormat = logTime
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	level, err := zerolog.ParseLevel(s.LogLevel)
	if err != nil {
		return zerolog.Nop(), configFault(fmt.Errorf("log level %q: %w", s.LogLevel, err))
	}
	to := []io.Writer{a.logWriter(s.LogFormat)}
	if file && s.SystemLog != "" {
		// Rotation copies and truncates: appending keeps the file whole.
		f, err := os.OpenFile(s.SystemLog, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
		if err != nil {
			a.warn("DECNET_SYSTEM_LOGS: " + err.Error() + ": the log goes to stderr only")
		} else {
			to = append(to, newSyslog(f))
		}
	}
	to = append(to, others...)
	return zerolog.New(zerolog.MultiLevelWriter(to...)).Level(level).With().Timestamp().Logger(), nil
}

func (a *app) logWriter(format string) io.Writer {
	switch format {
	case "console":
		return zerolog.ConsoleWriter{Out: a.err, NoColor: !a.errTTY || a.noColor || os.Getenv("NO_COLOR") != "", TimeFormat: "15:04:05.000"}
	case "rfc5424":
		return newSyslog(a.err)
	}
	return a.err
}
