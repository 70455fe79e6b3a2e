package config

import (
	"errors"
	"strings"
	"testing"
)

// files of a console that other hosts use.
func remoteFlags() map[string]string {
	return map[string]string{"console-listen": "192.0.2.7:8844", "console-cert": "/c.pem", "console-key": "k.pem", "console-client-ca": "/ca.pem"}
}

func TestTheConsoleOfOtherHostsIsShownWithItsFiles(t *testing.T) {
	s, origins := world{flags: remoteFlags()}.load(t)
	if s.ConsoleListen != "192.0.2.7:8844" || s.ConsoleKey != "/work/k.pem" || s.ConsoleCert != "/c.pem" || s.ConsoleCA != "/ca.pem" {
		t.Errorf("%+v", s)
	}
	if o := origins["console-listen"]; o.Value != "192.0.2.7:8844" || o.Source != "flag --console-listen" {
		t.Errorf("%+v", o)
	}
	if o := origins["console-key"]; o.Value != "/work/k.pem" {
		t.Errorf("%+v", o)
	}
}

func TestNothingListensForOtherHostsWithoutAllThatTellsThemApart(t *testing.T) {
	for name, change := range map[string]func(f map[string]string){
		"no certificate":      func(f map[string]string) { delete(f, "console-cert") },
		"no key":              func(f map[string]string) { delete(f, "console-key") },
		"no client authority": func(f map[string]string) { delete(f, "console-client-ca") },
		"no port":             func(f map[string]string) { f["console-listen"] = "192.0.2.7" },
		"any port":            func(f map[string]string) { f["console-listen"] = "192.0.2.7:0" },
		"no number":           func(f map[string]string) { f["console-listen"] = "192.0.2.7:http" },
	} {
		flags := remoteFlags()
		change(flags)
		_, _, err := Load(world{flags: flags}.input())
		var invalid *Invalid
		if !errors.As(err, &invalid) || len(invalid.Faults) != 1 || !strings.Contains(invalid.Faults[0].Where, "console-listen") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
