package config

import (
	"net"
	"strconv"
)

// console: nothing listens for other hosts without all that tells them apart.
func (l *loader) console() {
	s := &l.set
	s.ConsoleListen = choose(l, specConsoleListen, "", hostPort)
	s.ConsoleCert = l.path(specConsoleCert, "")
	s.ConsoleKey = l.path(specConsoleKey, "")
	s.ConsoleCA = l.path(specConsoleCA, "")
	if s.ConsoleListen == "" {
		return
	}
	for _, file := range []struct{ key, path string }{{specConsoleCert.key, s.ConsoleCert}, {specConsoleKey.key, s.ConsoleKey}, {specConsoleCA.key, s.ConsoleCA}} {
		if file.path == "" {
			l.fault(specConsoleListen.key, "needs --"+file.key+" as well: other hosts are let in by client certificate alone",
				"name the file; without certificates use `ssh -L`, or on this host `decnet-fleetd console --web`")
		}
	}
}

// hostPort is an address to listen at.
func hostPort(v string) (string, string) {
	const want = "an address and a port, like 192.0.2.7:8844"
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return "", want
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", want
	}
	return v, ""
}
