package main

import "testing"

func TestRivalsAreDECNETsOwnReconcilers(t *testing.T) {
	tests := map[string]struct {
		args []string
		want bool
	}{
		"the reconciler":             {[]string{"/opt/decnet/venv/bin/python3", "/opt/decnet/venv/bin/decnet", "reconcile"}, true},
		"the batch it lives in":      {[]string{"decnet", "supervise", "batch", "--x"}, true},
		"another batch":              {[]string{"decnet", "supervise", "cpu"}, false},
		"another verb":               {[]string{"decnet", "bus"}, false},
		"ourselves":                  {[]string{"decnet-fleetd", "reconcile"}, false},
		"somebody who talks of it":   {[]string{"grep", "decnet reconcile"}, false},
		"a process without a line":   {[]string{""}, false},
		"decnet without any command": {[]string{"decnet"}, false},
	}
	for name, tt := range tests {
		if got := reconciles(tt.args); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestSystemdSaysItsVersionInManyWays(t *testing.T) {
	for text, want := range map[string]int{
		"systemd 252 (252.39-1~deb12u1)\n+PAM": 252, "systemd 257~rc1": 257, "": 0, "systemd": 0, "upstart 1": 0, "systemd x": 0,
	} {
		if got, known := systemdVersion(text); got != want || known != (want > 0) {
			t.Errorf("%q: %d %v, want %d", text, got, known, want)
		}
	}
}
