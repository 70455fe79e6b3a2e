package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/journal"
)

// logTime has the six digits of DECNET's own timestamps.
const logTime = "2006-01-02T15:04:05.000000Z07:00"

// logs is where log lines go. It can be changed while lines come, from any goroutine.
type logs struct {
	a       *app
	limiter *limiter

	mu     sync.RWMutex // of what follows
	format string
	out    zerolog.LevelWriter
	file   *os.File // DECNET_SYSTEM_LOGS; nil: none
	sys    *syslog  // the same; nil: none
}

// logger is for a verb: its log goes to stderr. The file DECNET_SYSTEM_LOGS names gets RFC 5424 lines as well where file
// is true: the daemon's log is part of DECNET's, a person's command is not.
func (a *app) logger(s config.Settings, file bool) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(s.LogLevel)
	if err != nil {
		return zerolog.Nop(), configFault(fmt.Errorf("log level %q: %w", s.LogLevel, err))
	}
	return a.logs(s, file).logger().Level(level), nil
}

func (a *app) logs(s config.Settings, file bool) *logs {
	// zerolog has these for the whole process only.
	zerolog.TimeFieldFormat = logTime
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	l := &logs{a: a}
	l.limiter = newLimiter(time.Now, l.suppressed)
	path := ""
	if file {
		path = s.SystemLog
	}
	l.use(s.LogFormat, path)
	return l
}

func (l *logs) logger() zerolog.Logger { return zerolog.New(l).With().Timestamp().Logger() }

// use makes format and file those lines go to from now on; the file is opened anew. One that cannot be opened is said.
func (l *logs) use(format, path string) {
	file := l.open(path)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out == nil || format != l.format {
		l.format, l.out = format, l.a.logWriter(format)
	}
	if l.file != nil {
		_ = l.file.Close() // every line was written before
	}
	l.file, l.sys = file, nil
	if file != nil {
		l.sys = newSyslog(file)
	}
}

// open opens the file, if one is named. Rotation copies and truncates, or renames: appending keeps the one whole, and
// opening anew finds the other.
func (l *logs) open(path string) *os.File {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		l.a.warn("DECNET_SYSTEM_LOGS: " + err.Error() + ": the log goes to stderr only")
		return nil
	}
	return f
}

// Write is WriteLevel for a line without a level.
func (l *logs) Write(p []byte) (int, error) { return l.WriteLevel(zerolog.NoLevel, p) }

// WriteLevel writes one line of JSON, unless there have been too many like it.
func (l *logs) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if !l.limiter.allows(level, p) {
		return len(p), nil
	}
	return l.pass(level, p)
}

func (l *logs) pass(level zerolog.Level, p []byte) (int, error) {
	safe := tidyJSON(p)
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.sys != nil {
		_, _ = l.sys.WriteLevel(level, safe) // a full disk must not silence stderr
	}
	if _, err := l.out.WriteLevel(level, safe); err != nil {
		return 0, err
	}
	return len(p), nil
}

// suppressed stands for lines that were not written.
func (l *logs) suppressed(of, subject string, n int) {
	log := zerolog.New(direct{l}).With().Timestamp().Logger()
	line := log.Warn().Int("suppressed", n).Str("of", of)
	if subject != "" {
		line.Str("subject", subject)
	}
	line.Msg("log lines suppressed")
}

// direct passes the limiter.
type direct struct{ l *logs }

// Write is WriteLevel for a line without a level.
func (d direct) Write(p []byte) (int, error) { return d.l.pass(zerolog.NoLevel, p) }

// WriteLevel writes one line of JSON.
func (d direct) WriteLevel(level zerolog.Level, p []byte) (int, error) { return d.l.pass(level, p) }

func (a *app) logWriter(format string) zerolog.LevelWriter {
	switch format {
	case "console":
		return zerolog.LevelWriterAdapter{Writer: zerolog.ConsoleWriter{Out: a.err, NoColor: !a.errTTY || a.noColor || os.Getenv("NO_COLOR") != "",
			TimeFormat: "15:04:05.000"}}
	case "rfc5424":
		return newSyslog(a.err)
	case "journal":
		w, err := journal.Open(journal.Socket)
		if err == nil {
			return &journald{to: w, fallback: a.err}
		}
		a.warn("log format journal: " + err.Error() + ": lines of JSON go to stderr")
	}
	return zerolog.LevelWriterAdapter{Writer: a.err}
}
