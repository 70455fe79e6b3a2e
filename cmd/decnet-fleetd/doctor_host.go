package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
)

func checkBus(ctx context.Context, p patient) []finding {
	const name = "bus"
	path := busLocator(p.settings.BusSocket).Socket()
	switch p.settings.Bus {
	case config.BusOff:
		return []finding{ok(name, "off: nothing is announced")}
	case config.BusEmbedded:
		return []finding{ok(name, "the daemon serves it at "+path)}
	case config.BusUnix:
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = c.Close() // nothing was said
		return []finding{ok(name, "a bus answers at "+path)}
	case denied(path):
		return []finding{fail(name, "no permission to use "+path, "put the daemon's user into the socket's group: usermod -aG decnet USER")}
	}
	return []finding{warn(name, "no bus answers at "+path+": events wait in the outbox",
		"start it (systemctl start decnet-bus, or decnet-fleetd bus), or use --bus embedded or off")}
}

// usable says whether we may connect to a socket.
func usable(path string) bool { return unix.Access(path, unix.W_OK) == nil }

func checkControl(_ context.Context, p patient) []finding {
	const name = "control socket"
	var e *console.Error
	switch path := p.settings.ControlSocket; {
	case p.unheard == nil:
		return []finding{ok(name, "the daemon answers at "+path)}
	case !errors.As(p.unheard, &e):
		return []finding{fail(name, p.unheard.Error(), "")}
	case e.Code == console.NotReachable && !exists(path):
		return []finding{ok(name, path+" is free")}
	default:
		return []finding{fail(name, e.Message, e.Hint)}
	}
}

func checkDaemon(_ context.Context, p patient) []finding {
	const name = "daemon"
	if p.unheard != nil {
		return []finding{warn(name, "it does not run, or cannot be asked", "systemctl start decnet-fleetd")}
	}
	s := p.status
	all := []finding{ok(name, fmt.Sprintf("process %d, version %s, %s", s.PID, s.Version, s.Role))}
	if s.Version != version {
		all = append(all, warn(name, "it is version "+s.Version+", this program "+version, "systemctl restart decnet-fleetd"))
	}
	if s.Role == "shadow" {
		all = append(all, warn(name, "it is a shadow and writes nothing", "decnet-fleetd shadow tells what it saw; serve without --shadow writes"))
	}
	for _, c := range s.Components {
		if slices.Contains([]string{"degraded", "down"}, c.State) {
			all = append(all, fail(name, c.Component+" is "+c.State+": "+c.Detail, "see the line of the "+c.Component+" above, and the daemon's log"))
		}
	}
	for _, w := range s.Warnings {
		all = append(all, warn(name, w, ""))
	}
	for _, h := range groupHeld(s.Held) {
		all = append(all, warn(name, h.text(), h.remedy()))
	}
	return all
}

// leastSystemd is the oldest version the unit is written for. Source: Debian 12.
const leastSystemd = 252

func checkSystemd(ctx context.Context, _ patient) []finding {
	const name = "systemd"
	raw, err := exec.CommandContext(ctx, "systemctl", "--version").Output()
	if err != nil {
		return []finding{ok(name, "not there: whoever starts the daemon has to start it again when it ends")}
	}
	v, known := systemdVersion(string(raw))
	switch {
	case !known:
		return []finding{warn(name, "its version cannot be read", "")}
	case v < leastSystemd:
		return []finding{warn(name, fmt.Sprintf("version %d is older than the unit is written for", v), fmt.Sprintf("the unit needs %d or newer", leastSystemd))}
	}
	return []finding{ok(name, fmt.Sprintf("version %d", v))}
}

// systemdVersion reads "systemd 252 (252.39-1~deb12u1)".
func systemdVersion(text string) (int, bool) {
	fields := strings.Fields(text)
	if len(fields) < 2 || fields[0] != "systemd" {
		return 0, false
	}
	digits, _, _ := strings.Cut(fields[1], "~")
	v, err := strconv.Atoi(digits)
	return v, err == nil
}
