package integration

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const unitName = "decnet-fleetd.service"

// initVariables are all that `decnet init` renders a template with; a name beside them ends it (StrictUndefined).
var initVariables = map[string]string{"install_dir": "/opt/decnet", "venv_dir": "/opt/decnet/.venv", "user": "decnet", "group": "decnet"}

// variable is a template's expression.
var variable = regexp.MustCompile(`\{\{ *([^}]*?) *\}\}`)

func readUnit(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", file))
	must(t, err)
	return string(text)
}

// render does what `decnet init` does.
func render(t *testing.T) string {
	t.Helper()
	text := readUnit(t, unitName+".j2")
	if at := strings.Index(text, "{%"); at >= 0 {
		t.Fatalf("more than a variable, which this test cannot render: %.40s", text[at:])
	}
	return variable.ReplaceAllStringFunc(text, func(expression string) string {
		name := variable.FindStringSubmatch(expression)[1]
		value, known := initVariables[name]
		if !known {
			t.Errorf("%s is no variable of `decnet init`", expression)
		}
		return value
	})
}

// units are the files as they are installed, by the name of their source.
func units(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{unitName: readUnit(t, unitName), unitName + ".j2": render(t)}
}

// analyze runs systemd-analyze on a unit whose program is the binary under test.
func analyze(t *testing.T, unit string, args ...string) (string, int) {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		lack(t, "systemd-analyze: run `integration/services.sh tools` first, as `make test` does")
	}
	path := filepath.Join(t.TempDir(), unitName)
	installed := strings.ReplaceAll(unit, "/usr/bin/decnet-fleetd", fleetd(t))
	if installed == unit {
		t.Fatal("the unit does not run /usr/bin/decnet-fleetd")
	}
	must(t, os.WriteFile(path, []byte(installed), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemd-analyze", append(args, path)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

func TestSystemdFindsNoFaultInTheUnits(t *testing.T) {
	for source, unit := range units(t) {
		t.Run(source, func(t *testing.T) {
			// A directive that is not known is ignored with a warning, and protects nothing.
			out, code := analyze(t, unit, "verify", "--recursive-errors=no")
			if code != 0 || strings.Contains(out, unitName) {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
}

func TestTheUnitsExposureStaysBelowOneAndAHalf(t *testing.T) {
	for source, unit := range units(t) {
		t.Run(source, func(t *testing.T) {
			if out, code := analyze(t, unit, "security", "--offline=true", "--no-pager", "--threshold=15"); code != 0 {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
}

func TestUnitAndTemplateDifferOnlyWhereTheyMust(t *testing.T) {
	allowed := []string{"ExecStart=", "ProtectHome=", "ReadOnlyPaths=", "#"}
	lines := func(text string) []string {
		return slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool {
			return slices.ContainsFunc(allowed, func(key string) bool { return strings.HasPrefix(line, key) })
		})
	}
	unit, template := lines(readUnit(t, unitName)), lines(render(t))
	if !slices.Equal(unit, template) {
		t.Errorf("the unit:\n%s\n\nthe template:\n%s", strings.Join(unit, "\n"), strings.Join(template, "\n"))
	}
}

func TestTheUnitsKeepTheirPromises(t *testing.T) {
	for source, unit := range units(t) {
		for _, line := range []string{
			"Type=notify", "NotifyAccess=main", "WatchdogSec=30s", "ExecReload=/usr/bin/decnet-fleetd reload", "Restart=on-failure",
			"RestartPreventExitStatus=64 65 77 78", "Conflicts=decnet-reconciler.service",
		} {
			if !strings.Contains(unit, "\n"+line+"\n") {
				t.Errorf("%s: no line %s", source, line)
			}
		}
		// DECNET's own workers are never stopped by ours: not the batch, and none of those in it.
		for _, other := range []string{"batch", "enrich", "orchestrator", "mutator"} {
			for line := range strings.Lines(unit) {
				if strings.HasPrefix(line, "Conflicts=") && strings.Contains(line, other) {
					t.Errorf("%s: %s", source, line)
				}
			}
		}
	}
}

// manager is a service manager's end of the notification socket.
type manager struct {
	socket *net.UnixConn
	heard  []string
}

func listenAsManager(t *testing.T, path string) *manager {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &manager{socket: c}
}

// hears takes what comes until a message has that part, and gives it with the time it took.
func (m *manager) hears(t *testing.T, part string, within time.Duration) (string, time.Duration) {
	t.Helper()
	began := time.Now()
	must(t, m.socket.SetReadDeadline(began.Add(within)))
	b := make([]byte, 4096)
	for {
		n, err := m.socket.Read(b)
		if err != nil {
			t.Fatalf("no %q within %s; heard %q", part, within, m.heard)
		}
		m.heard = append(m.heard, string(b[:n]))
		if strings.Contains(string(b[:n]), part) {
			return string(b[:n]), time.Since(began)
		}
	}
}

// watched starts the daemon as a service manager does that watches it.
func (s *stage) watched(m string, timeout string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(s.path("state"), 0o700))
	args := append([]string{"NOTIFY_SOCKET=" + m, "WATCHDOG_USEC=" + timeout, fleetd(s.t), "serve"}, s.flags()...)
	s.daemon = launch(s.t, s.path("daemon.log"), "env", args...)
	s.t.Cleanup(func() { s.daemon.end(s.t); s.daemon.scars(s.t) })
}

func TestTheServiceManagerHearsHowADaemonWithoutDockerIs(t *testing.T) {
	fleetd(t)
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"})
	m := listenAsManager(t, s.path("notify"))
	s.watched(s.path("notify"), "3000000")

	ready, _ := m.hears(t, "READY=1", soon)
	if !strings.Contains(ready, "\nSTATUS=0 deckies; docker down, database ok, bus ") {
		t.Errorf("ready with %q", ready)
	}
	s.declare(declare("unit-01", "ssh"))
	m.hears(t, "STATUS=1 decky; docker down, database ok, bus ok", soon)
	for range 3 {
		if _, took := m.hears(t, "WATCHDOG=1", prompt); took > 3*time.Second {
			t.Fatalf("%s between two signs of life: a service manager would have ended it", took)
		}
	}
	s.daemon.signal(t, syscall.SIGTERM)
	m.hears(t, "STOPPING=1", prompt)
	if code := s.daemon.exit(t, prompt); code != 0 {
		t.Errorf("TERM: exit code %d", code)
	}
	must(t, m.socket.SetReadDeadline(time.Now()))
	if n, err := m.socket.Read(make([]byte, 4096)); err == nil {
		t.Errorf("%d bytes after the last word", n)
	}
}

func TestAStandbyOnTheSameDirectoryAsksTheServiceManagerForTime(t *testing.T) {
	fleetd(t)
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"})
	s.start()
	first := s.daemon
	m := listenAsManager(t, s.path("notify"))
	s.watched(s.path("notify"), "30000000")
	for range 3 {
		word, _ := m.hears(t, "EXTEND_TIMEOUT_USEC=", soon)
		if !strings.Contains(word, "STATUS=standby: ") {
			t.Errorf("heard %q", word)
		}
	}
	if slices.ContainsFunc(m.heard, func(w string) bool { return strings.Contains(w, "READY=1") }) {
		t.Errorf("a standby without a watchdog's round trip says it is ready: %q", m.heard)
	}
	first.end(t)
	m.hears(t, "READY=1", soon)
}
