package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/messages"
)

// reloadable are the settings a running daemon can change. Every other one names a place or a role the daemon has taken
// already: it is told of, and needs a restart.
var reloadable = []string{"log-level", "log-format", "system-log", "interval"}

// reloader reads the configuration again. One reload is made at a time, from any goroutine.
type reloader struct {
	load  func(overlay map[string]*string) (config.Settings, []config.Origin, error)
	env   func() (map[string]string, error) // the .env.local as it is now
	first map[string]string                 // and as it was at the start
	logs  *logs
	every func(time.Duration) // sets the interval; nil: nobody wants to know

	mu      sync.Mutex
	set     config.Settings
	origins []config.Origin
	debug   bool // SIGUSR2: debug whatever the settings say
}

func (a *app) reloader(s config.Settings, origins []config.Origin, l *logs) *reloader {
	in := a.machine(false)
	r := &reloader{set: s, origins: origins, logs: l}
	r.env = func() (map[string]string, error) {
		return config.EnvFile(filepath.Join(s.InstallDir, ".env.local"), in)
	}
	r.first, _ = r.env() // none is one without variables
	r.load = func(overlay map[string]*string) (config.Settings, []config.Origin, error) {
		again := a.machine(false)
		again.LookupEnv = overlaid(again.LookupEnv, overlay)
		return config.Load(again)
	}
	return r
}

// reload reads everything and changes what can be changed, or nothing.
func (r *reloader) reload() messages.ReloadReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, err := r.env()
	if err != nil {
		now = nil // the loader says what is wrong with the file, if anything is
	}
	set, origins, err := r.load(envChanges(r.first, now, os.LookupEnv))
	if invalid, is := errors.AsType[*config.Invalid](err); is {
		return messages.ReloadReport{Rejected: invalid.Faults}
	}
	if err != nil {
		return messages.ReloadReport{Rejected: []messages.Fault{{Where: "configuration", What: err.Error()}}}
	}
	report := compare(r.origins, origins, r.set.Database != set.Database)
	report.Warnings = set.Warnings
	r.apply(set)
	r.origins = merged(r.origins, origins)
	return report
}

// inForce are the settings with their sources, as they are now.
func (r *reloader) inForce() []config.Origin {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.origins
}

// apply puts what can be changed in force.
func (r *reloader) apply(s config.Settings) {
	if s.Interval != r.set.Interval && r.every != nil {
		r.every(s.Interval)
	}
	r.set.Interval, r.set.LogLevel, r.set.LogFormat, r.set.SystemLog = s.Interval, s.LogLevel, s.LogFormat, s.SystemLog
	r.logs.use(s.LogFormat, s.SystemLog) // the file is opened anew in any case: it may have been rotated
	r.setLevel()
}

func (r *reloader) setLevel() {
	if r.debug {
		zerolog.SetGlobalLevel(min(zerolog.DebugLevel, levelOf(r.set.LogLevel)))
		return
	}
	zerolog.SetGlobalLevel(levelOf(r.set.LogLevel))
}

// levelOf a word the configuration has checked.
func levelOf(word string) zerolog.Level {
	level, err := zerolog.ParseLevel(word)
	if err != nil {
		return zerolog.InfoLevel
	}
	return level
}

// levels makes the level that of the settings.
func (r *reloader) levels(word string) { zerolog.SetGlobalLevel(levelOf(word)) }

// setDebug turns the level debug on or off; it answers whether that changed anything.
func (r *reloader) setDebug(on bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.debug != on
	r.debug = on
	r.setLevel()
	return changed
}

// compare says which settings read otherwise. Passwords are masked in the origins, so that a new one in the database's
// URL is seen by the caller alone.
func compare(before, after []config.Origin, database bool) messages.ReloadReport {
	was := map[string]string{}
	for _, o := range before {
		was[o.Key] = o.Value
	}
	var out messages.ReloadReport
	for _, o := range after {
		if o.Value == was[o.Key] && (o.Key != "database" || !database) {
			continue
		}
		change := messages.SettingChange{Key: o.Key, From: was[o.Key], To: o.Value}
		if slices.Contains(reloadable, o.Key) {
			out.Changed = append(out.Changed, change)
		} else {
			out.Restart = append(out.Restart, change)
		}
	}
	return out
}

// merged are the origins in force: the new ones of what was changed, the old ones of what needs a restart.
func merged(before, after []config.Origin) []config.Origin {
	out := slices.Clone(before)
	for i, o := range out {
		if at := slices.IndexFunc(after, func(n config.Origin) bool { return n.Key == o.Key }); at >= 0 && slices.Contains(reloadable, o.Key) {
			out[i] = after[at]
		}
	}
	return out
}

// envChanges are the variables the environment has from the .env.local of the start, with what that file says now: the
// unit's EnvironmentFile is the same file, and the service manager handed it over once. nil means that it says nothing
// any more. A variable that differs from the file of the start came from elsewhere and stays.
func envChanges(first, now map[string]string, lookup func(string) (string, bool)) map[string]*string {
	out := map[string]*string{}
	for name, value := range first {
		if v, there := lookup(name); !there || v != value {
			continue
		}
		out[name] = nil
		if v, still := now[name]; still {
			out[name] = &v
		}
	}
	return out
}

func overlaid(lookup func(string) (string, bool), overlay map[string]*string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if v, there := overlay[name]; there {
			if v == nil {
				return "", false
			}
			return *v, true
		}
		return lookup(name)
	}
}
