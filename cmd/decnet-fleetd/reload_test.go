package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/config"
)

// reloading is a reloader over a configuration a test sets.
func reloading(t *testing.T) (r *reloader, next *config.Settings, fail *error, out *bytes.Buffer) {
	t.Helper()
	level := zerolog.GlobalLevel()
	t.Cleanup(func() { zerolog.SetGlobalLevel(level) })
	next, fail, out = &config.Settings{LogLevel: "info", LogFormat: "json", Interval: 30 * time.Second, Database: "mysql://u:one@h/d"}, new(error), &bytes.Buffer{}
	a := &app{err: out, quiet: true}
	origins := func(s config.Settings) []config.Origin {
		return []config.Origin{{Key: "database", Value: config.Mask(s.Database)}, {Key: "interval", Value: s.Interval.String()},
			{Key: "log-level", Value: s.LogLevel}, {Key: "log-format", Value: s.LogFormat}, {Key: "system-log", Value: s.SystemLog}, {Key: "host-uuid", Value: s.HostUUID}}
	}
	r = &reloader{set: *next, origins: origins(*next), logs: a.logs(*next, true), env: func() (map[string]string, error) { return nil, os.ErrNotExist },
		load: func(map[string]*string) (config.Settings, []config.Origin, error) {
			return *next, origins(*next), *fail
		}}
	r.levels(next.LogLevel)
	return r, next, fail, out
}

func TestAReloadChangesWhatItCanAndNamesTheRest(t *testing.T) {
	r, next, _, out := reloading(t)
	var every time.Duration
	r.every = func(d time.Duration) { every = d }
	log := r.logs.logger()
	log.Debug().Msg("before")
	next.LogLevel, next.Interval, next.HostUUID, next.Database = "debug", time.Minute, "h2", "mysql://u:two@h/d"
	got := r.reload()
	log.Debug().Msg("after")
	if c := changes(got.Changed); !slices.Equal(c, []string{"interval: 30s → 1m0s", "log-level: info → debug"}) {
		t.Errorf("changed %q", c)
	}
	if len(got.Restart) != 2 || got.Restart[0].Key != "database" || got.Restart[1].Key != "host-uuid" || strings.Contains(got.Restart[0].To, "two") {
		t.Errorf("after a restart %+v", got.Restart)
	}
	if every != time.Minute || strings.Contains(out.String(), "before") || !strings.Contains(out.String(), "after") {
		t.Errorf("interval %s, log %s", every, out)
	}
	if again := r.reload(); len(again.Changed) != 0 || len(again.Restart) != 2 {
		t.Errorf("nothing changed since, but %+v", again)
	}
}

func TestARefusedReloadChangesNothing(t *testing.T) {
	r, next, fail, _ := reloading(t)
	r.every = func(time.Duration) { t.Error("the interval was changed") }
	next.LogLevel, next.Interval = "debug", time.Minute
	*fail = &config.Invalid{Faults: []config.Fault{{Where: "interval", What: "is no duration"}}}
	if got := r.reload(); len(got.Rejected) != 1 || len(got.Changed) != 0 {
		t.Errorf("%+v", got)
	}
	*fail = errors.New("the disk is gone")
	if got := r.reload(); len(got.Rejected) != 1 || zerolog.GlobalLevel() != zerolog.InfoLevel {
		t.Errorf("%+v, level %s", got, zerolog.GlobalLevel())
	}
}

func TestAReloadFollowsARotatedLog(t *testing.T) {
	r, next, _, _ := reloading(t)
	path := filepath.Join(t.TempDir(), "decnet.log")
	next.SystemLog = path
	r.reload()
	log := r.logs.logger()
	log.Info().Msg("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("two")
	r.reload()
	log.Info().Msg("three")
	old, err1 := os.ReadFile(path + ".1")
	fresh, err2 := os.ReadFile(path)
	if err1 != nil || err2 != nil || !strings.Contains(string(old), "two") || strings.Contains(string(old), "three") || !strings.Contains(string(fresh), "three") {
		t.Errorf("rotated %q, new %q", old, fresh)
	}
}

func TestDebugEndsWhereTheSettingsSay(t *testing.T) {
	r, next, _, _ := reloading(t)
	next.LogLevel = "warn"
	if !r.setDebug(true) || zerolog.GlobalLevel() != zerolog.DebugLevel {
		t.Errorf("level %s", zerolog.GlobalLevel())
	}
	r.reload() // does not end it
	if zerolog.GlobalLevel() != zerolog.DebugLevel || r.setDebug(true) {
		t.Errorf("level %s after a reload", zerolog.GlobalLevel())
	}
	if !r.setDebug(false) || zerolog.GlobalLevel() != zerolog.WarnLevel {
		t.Errorf("level %s afterwards", zerolog.GlobalLevel())
	}
}

func TestTheUnitsEnvironmentFileCanBeReadAgain(t *testing.T) {
	env := map[string]string{"FROM_FILE": "old", "GONE": "old", "FROM_UNIT": "mine"}
	lookup := overlaid(
		func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		envChanges(map[string]string{"FROM_FILE": "old", "GONE": "old", "FROM_UNIT": "file's", "UNSET": "x"},
			map[string]string{"FROM_FILE": "new", "FROM_UNIT": "new"},
			func(name string) (string, bool) { v, ok := env[name]; return v, ok }))
	for name, want := range map[string]string{"FROM_FILE": "new", "FROM_UNIT": "mine", "GONE": "", "UNSET": ""} {
		if got, there := lookup(name); got != want || there != (want != "") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
