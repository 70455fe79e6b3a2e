package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/adapters/config"
)

func TestRFC5424LinesAreLikeDECNETs(t *testing.T) {
	var out bytes.Buffer
	a := &app{err: &out}
	log, err := a.logger(config.Settings{LogLevel: "debug", LogFormat: "rfc5424"}, false)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Str("decky", "a b\n<0>").Int("n", 3).Msg("state changed")
	log.Warn().Err(errors.New("x")).Str("actor", "store/store").Msg("waits")
	log.Error().Msg("e")
	log.Debug().Msg("d")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	const stamp = `1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 \S+ decnet-fleetd \d+ `
	for i, want := range []string{
		`^<134>` + stamp + `decnet\.fleetd - state changed decky="a b\\x0a<0>" n=3$`,
		`^<132>` + stamp + `decnet\.fleetd\.store - waits error=x actor=store/store$`,
		`^<131>` + stamp + `decnet\.fleetd - e$`,
		`^<135>` + stamp + `decnet\.fleetd - d$`,
	} {
		if i >= len(lines) || !regexp.MustCompile(want).MatchString(lines[i]) {
			t.Errorf("lines %q: line %d is not like %s", lines, i, want)
		}
	}
}

func TestLevelsBelowTheSettingAreSilent(t *testing.T) {
	var out bytes.Buffer
	log, err := (&app{err: &out}).logger(config.Settings{LogLevel: "warn", LogFormat: "json"}, false)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("no")
	log.Warn().Msg("yes")
	if got := out.String(); strings.Contains(got, "no") || !strings.Contains(got, `"message":"yes"`) {
		t.Errorf("got %s", got)
	}
}

func TestDaemonsLogGoesToDECNETsFileToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "decnet.log")
	if err := os.WriteFile(path, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	log, err := (&app{err: &out}).logger(config.Settings{LogLevel: "info", LogFormat: "json", SystemLog: path}, true)
	if err != nil {
		t.Fatal(err)
	}
	log.Info().Msg("hello")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(raw), "before\n<134>1 ") || !strings.Contains(out.String(), `"message":"hello"`) {
		t.Errorf("file %q, stderr %q", raw, out.String())
	}
}

func TestDaemonStartsWithoutItsLogFile(t *testing.T) {
	var out bytes.Buffer
	_, err := (&app{err: &out}).logger(config.Settings{LogLevel: "info", LogFormat: "json", SystemLog: filepath.Join(t.TempDir(), "no", "log")}, true)
	if err != nil || !strings.Contains(out.String(), "DECNET_SYSTEM_LOGS") {
		t.Errorf("error %v, said %q", err, out.String())
	}
}

func FuzzSyslogIsOneLine(f *testing.F) {
	f.Add([]byte(`{"level":"info","actor":"a b/c","x\n":["\u001b"],"message":"m\nn"}`))
	f.Add([]byte("{\"a\":"))
	f.Fuzz(func(t *testing.T, p []byte) {
		var out bytes.Buffer
		if _, err := newSyslog(&out).Write(p); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(out.Bytes(), []byte("\n")); n != 1 || bytes.ContainsAny(out.Bytes(), "\x1b\r\x00") {
			t.Errorf("%q becomes %q", p, out.String())
		}
	})
}
