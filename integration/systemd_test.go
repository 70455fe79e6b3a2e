package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// watchdogInTest replaces the unit's 30 s where a test waits for the watchdog.
const watchdogInTest = 6 * time.Second

// TestTheUnitUnderSystemd is the life of the daemon as a service, on a machine whose first process is systemd: the
// shipped unit, its sandbox and the journal are the real ones. One machine serves all of it; the order matters.
func TestTheUnitUnderSystemd(t *testing.T) {
	m := boot(t)
	m.install(t)
	t.Run("it is ready only after the first pass", m.isReadyAfterTheFirstPass)
	t.Run("the sandbox is in force", m.isConfined)
	t.Run("the journal has fields", m.hasFieldsInTheJournal)
	t.Run("a good reload is in force", m.reloads)
	t.Run("a bad reload is refused and changes nothing", m.refusesABadReload)
	t.Run("a reload that is sent needs no answer", m.reloadsBySignal)
	t.Run("SIGUSR1 dumps, and five dumps are kept", m.dumps)
	t.Run("a hundred signals are one wish", m.survivesSignals)
	t.Run("it stops within a second", m.stops)
	t.Run("a bad configuration is not tried again", m.givesUpOnABadConfiguration)
	t.Run("a deadlocked store is restarted by the watchdog", m.isRestartedByTheWatchdog)
}

func (m *machine) isReadyAfterTheFirstPass(t *testing.T) {
	m.must(t, "systemctl", "start", service)
	// Type=notify: the job ends with READY=1, and what the first pass is to write is written by then.
	out := m.must(t, "journalctl", "-u", service, "-o", "cat", "--no-pager")
	inserted, started := strings.Index(out, "transition=inserted"), strings.Index(out, "Started ")
	if inserted < 0 || started < inserted {
		t.Errorf("ready before the row was written:\n%s", out)
	}
	eventually(t, prompt, func() error {
		status := m.show(t, "StatusText")
		return unless(status == "1 decky; docker down, database ok, bus down", "StatusText %q", status)
	})
	if got := m.show(t, "ActiveState"); got != "active" {
		t.Errorf("ActiveState %s", got)
	}
}

func (m *machine) isConfined(t *testing.T) {
	status := m.must(t, "cat", "/proc/"+m.pid(t)+"/status")
	for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	// A shell in the daemon's own mount namespace and user, which is how the daemon itself sees the files.
	in := []string{"nsenter", "-m", "-t", m.pid(t), "setpriv", "--reuid=decnet", "--regid=decnet", "--clear-groups", "sh", "-c"}
	for path, writable := range map[string]bool{
		"/etc/x": false, "/usr/bin/x": false, "/var/lib/x": false, "/root/x": false, "/home/x": false,
		"/opt/decnet/x": true, "/var/lib/decnet-fleetd/x": true, "/run/decnet-fleetd/x": true,
	} {
		// As root, so that it is the sandbox that refuses, not the file's mode.
		out, code := m.run(t, append(append([]string{}, in[:4]...), "sh", "-c", "touch "+path+" && rm "+path)...)
		if (code == 0) != writable {
			t.Errorf("%s: writable is %v, must be %v: %s", path, code == 0, writable, out)
		}
	}
	if out, code := m.run(t, append(in, "ls -d /proc/1")...); code == 0 {
		t.Errorf("the daemon's user sees other processes: %s", out)
	}
}

func (m *machine) hasFieldsInTheJournal(t *testing.T) {
	entry := m.entries(t, "DECNET_DECKY=unit-01")
	if len(entry) != 1 {
		t.Fatalf("%d entries of the decky: %v", len(entry), entry)
	}
	for key, want := range map[string]string{
		"PRIORITY": "6", "SYSLOG_IDENTIFIER": "decnet-fleetd", "MESSAGE_ID": "0d94c3f7e6284b5ab13f8d5e47c6a933",
		"DECNET_TRANSITION": "inserted", "_TRANSPORT": "journal",
	} {
		if got := entry[0][key]; got != want {
			t.Errorf("%s is %v, want %s", key, got, want)
		}
	}
	if seq, _ := entry[0]["DECNET_SEQ"].(string); seq == "" {
		t.Errorf("no DECNET_SEQ: %v", entry[0])
	}
	if len(m.entries(t, "DECNET_ACTOR=store/store")) == 0 {
		t.Error("no entry of the store")
	}
	if text := m.must(t, "journalctl", "-x", "-o", "short", "--no-pager", "DECNET_DECKY=unit-01"); !strings.Contains(text, "unit-01 drifted: inserted") {
		t.Errorf("the catalog does not explain it:\n%s", text)
	}
}

func (m *machine) reloads(t *testing.T) {
	pid := m.pid(t)
	m.env(t, "FLEETD_LOG_LEVEL=debug", "FLEETD_INTERVAL=20s", "FLEETD_BUS_REPLAY=1s")
	out := m.must(t, "decnet-fleetd", "reload", "--json")
	var r struct {
		Changed, Restart []struct{ Key, From, To string }
	}
	must(t, json.Unmarshal([]byte(out), &r))
	if fmt.Sprint(r.Changed) != "[{interval 30s 20s} {log-level info debug}]" || fmt.Sprint(r.Restart) != "[{bus-replay off 1s}]" {
		t.Errorf("reload says %s", out)
	}
	m.env(t, "FLEETD_LOG_LEVEL=warn")
	m.must(t, "systemctl", "reload", service)
	if m.pid(t) != pid {
		t.Error("a reload is no restart")
	}
	m.env(t, "FLEETD_LOG_LEVEL=info")
	m.must(t, "systemctl", "reload", service)
	if n := len(m.entries(t, "MESSAGE_ID=e1b65a08f7c94d12a4d39b6c82f05e44")); n != 2 { // that of warn was silent
		t.Errorf("%d reloads in the journal", n)
	}
}

func (m *machine) refusesABadReload(t *testing.T) {
	pid := m.pid(t)
	m.env(t, "FLEETD_LOG_LEVEL=loud")
	out, code := m.run(t, "decnet-fleetd", "reload")
	if code != 78 || !strings.Contains(out, "log-level") || !strings.Contains(out, "stays in force") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := m.run(t, "systemctl", "reload", service); code == 0 {
		t.Errorf("systemctl reload succeeds: %s", out)
	}
	if m.pid(t) != pid || m.show(t, "ActiveState") != "active" {
		t.Errorf("%s, process %s, before %s", m.show(t, "ActiveState"), m.pid(t), pid)
	}
	m.env(t)
	m.must(t, "decnet-fleetd", "reload")
}

func (m *machine) reloadsBySignal(t *testing.T) {
	before := len(m.entries(t, "MESSAGE_ID=e1b65a08f7c94d12a4d39b6c82f05e44"))
	m.signal(t, "HUP")
	eventually(t, prompt, func() error {
		n := len(m.entries(t, "MESSAGE_ID=e1b65a08f7c94d12a4d39b6c82f05e44"))
		return unless(n == before+1 && m.show(t, "SubState") == "running", "%d reloads, %d before; %s", n, before, m.show(t, "SubState"))
	})
}

func (m *machine) dumps(t *testing.T) {
	const dir = "/var/lib/decnet-fleetd/dumps"
	for n := range 7 {
		m.signal(t, "USR1")
		eventually(t, prompt, func() error {
			out := m.must(t, "journalctl", "-u", service, "-o", "cat", "--no-pager")
			return unless(strings.Count(out, "dump written") == n+1, "dump %d is not written", n+1)
		})
	}
	files := strings.Fields(m.must(t, "ls", dir))
	if len(files) != 5 {
		t.Fatalf("%d dumps are kept: %v", len(files), files)
	}
	text := m.must(t, "cat", dir+"/"+files[4])
	for _, part := range []string{`"database"`, "store/store running", "== crashes", "goroutine 1 ["} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in a dump of %d bytes", part, len(text))
		}
	}
}

func (m *machine) survivesSignals(t *testing.T) {
	pid := m.pid(t)
	m.must(t, "sh", "-c", "for n in $(seq 100); do kill -HUP "+pid+"; kill -USR2 "+pid+"; kill -PIPE "+pid+"; done")
	m.must(t, "decnet-fleetd", "status")
	if m.pid(t) != pid || m.show(t, "SubState") != "running" {
		t.Errorf("process %s, before %s; %s", m.pid(t), pid, m.show(t, "SubState"))
	}
}

func (m *machine) stops(t *testing.T) {
	pid := m.pid(t)
	began := time.Now()
	m.must(t, "sh", "-c", "for n in 1 2 3; do kill -TERM "+pid+"; done; while [ -d /proc/"+pid+" ]; do sleep 0.02; done")
	if took := time.Since(began); took > 1500*time.Millisecond { // with the way into the container and back
		t.Errorf("TERM to exit took %s", took)
	}
	eventually(t, prompt, func() error {
		return unless(m.show(t, "ActiveState") == "inactive" && m.show(t, "Result") == "success" && m.show(t, "ExecMainStatus") == "0",
			"%s, %s, exit code %s", m.show(t, "ActiveState"), m.show(t, "Result"), m.show(t, "ExecMainStatus"))
	})
}

func (m *machine) givesUpOnABadConfiguration(t *testing.T) {
	m.env(t, "FLEETD_INTERVAL=never")
	if out, code := m.run(t, "systemctl", "start", service); code == 0 {
		t.Errorf("it starts: %s", out)
	}
	throughout(t, 3*time.Second, func() error { // RestartSec is 2 s
		return unless(m.show(t, "ActiveState") == "failed" && m.show(t, "ExecMainStatus") == "78" && m.show(t, "NRestarts") == "0",
			"%s, exit code %s, %s restarts", m.show(t, "ActiveState"), m.show(t, "ExecMainStatus"), m.show(t, "NRestarts"))
	})
	m.env(t)
	m.must(t, "systemctl", "reset-failed", service)
}

func (m *machine) isRestartedByTheWatchdog(t *testing.T) {
	m.put(t, static(t, "fault"), "/usr/bin/decnet-fleetd")
	m.must(t, "sh", "-c", fmt.Sprintf("mkdir -p /run/systemd/system/%s.d && printf '[Service]\\nWatchdogSec=%d\\n' >/run/systemd/system/%s.d/watchdog.conf",
		service, int(watchdogInTest.Seconds()), service))
	m.must(t, "systemctl", "daemon-reload")
	m.must(t, "systemctl", "start", service)
	pid := m.pid(t)
	// A statement that waits is no deadlock: longer than the watchdog waits, and nothing happens.
	m.must(t, "touch", "/var/lib/decnet-fleetd/fault-hang")
	throughout(t, watchdogInTest*4/3, func() error {
		return unless(m.pid(t) == pid, "restarted while a statement might still be waiting for a lock")
	})
	m.must(t, "rm", "/var/lib/decnet-fleetd/fault-hang") // what hangs already goes on hanging
	eventually(t, 2*time.Minute, func() error {          // 30 s until it counts as hung, the watchdog's, and a busy machine
		now := m.pid(t)
		return unless(now != "0" && now != pid && m.show(t, "SubState") == "running", "process %s, before %s, %s", now, pid, m.show(t, "SubState"))
	})
	log := m.must(t, "journalctl", "-u", service, "-o", "cat", "--no-pager")
	for _, part := range []string{"Watchdog timeout", "watchdog not fed", "has not answered a statement"} {
		if !strings.Contains(log, part) {
			t.Errorf("no %q in the journal", part)
		}
	}
	eventually(t, prompt, func() error {
		out, code := m.run(t, "decnet-fleetd", "status")
		return unless(code == 0 && strings.Contains(out, "owner"), "status: exit code %d\n%s", code, out)
	})
}

// machine is a container whose first process is systemd.
type machine struct{ id, dir string }

const service = "decnet-fleetd.service"

// boot starts one; it ends with the test.
func boot(t *testing.T) *machine {
	t.Helper()
	image := need(t, "IT_SYSTEMD_IMAGE")
	m := &machine{dir: shortDir(t, "")}
	t.Cleanup(func() { _ = os.RemoveAll(m.dir) })
	m.id = strings.TrimSpace(docker(t, "run", "-d", "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--security-opt", "seccomp=unconfined",
		"--network", "none", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", "-v", "/sys/fs/cgroup:/sys/fs/cgroup", image, "/lib/systemd/systemd"))
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := m.run(t, "journalctl", "-u", service, "--no-pager", "-n", "80")
			t.Logf("the journal:\n%s", out)
		}
		docker(t, "rm", "-f", m.id)
	})
	eventually(t, time.Minute, func() error {
		out, _ := m.run(t, "systemctl", "is-system-running")
		return unless(strings.Contains(out, "running") || strings.Contains(out, "degraded"), "systemd is %s", out)
	})
	return m
}

// install puts the product there as its package would, with a fleet of one decky.
func (m *machine) install(t *testing.T) {
	t.Helper()
	m.must(t, "sh", "-c", "groupadd -r docker && useradd -r -m -k /nonexistent -d /opt/decnet decnet && mkdir -p /usr/lib/systemd/catalog")
	m.put(t, static(t, ""), "/usr/bin/decnet-fleetd")
	m.put(t, filepath.Join("..", "deploy", service), "/etc/systemd/system/"+service)
	m.put(t, filepath.Join("..", "deploy", "decnet-fleetd.catalog"), "/usr/lib/systemd/catalog/decnet-fleetd.catalog")
	db := newDatabase(t, filepath.Join(m.dir, "decnet.db"))
	db.exec(t, "PRAGMA wal_checkpoint(TRUNCATE)")
	writeState(t, filepath.Join(m.dir, "decnet-state.json"), declare("unit-01", "ssh"))
	m.put(t, db.path, "/opt/decnet/decnet.db")
	m.put(t, filepath.Join(m.dir, "decnet-state.json"), "/opt/decnet/decnet-state.json")
	m.env(t, "FLEETD_LOG_LEVEL=info") // in the process's environment from its start
	m.must(t, "sh", "-c", "chown -R decnet: /opt/decnet && chmod 755 /opt/decnet && journalctl --update-catalog && systemctl daemon-reload")
}

// run runs a command there.
func (m *machine) run(t *testing.T, command ...string) (string, int) {
	t.Helper()
	out, err := exec.Command("docker", append([]string{"-H", need(t, "IT_DOCKER_HOST"), "exec", m.id}, command...)...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}

func (m *machine) must(t *testing.T, command ...string) string {
	t.Helper()
	out, code := m.run(t, command...)
	if code != 0 {
		t.Fatalf("%q: exit code %d\n%s", command, code, out)
	}
	return out
}

// show is a property of the service.
func (m *machine) show(t *testing.T, property string) string {
	t.Helper()
	return strings.TrimSpace(m.must(t, "systemctl", "show", "-P", property, service))
}

func (m *machine) pid(t *testing.T) string { t.Helper(); return m.show(t, "MainPID") }

func (m *machine) signal(t *testing.T, name string) {
	t.Helper()
	m.must(t, "systemctl", "kill", "-s", name, "--kill-whom=main", service)
}

func (m *machine) put(t *testing.T, from, to string) {
	t.Helper()
	docker(t, "cp", from, m.id+":"+to)
}

// env writes the file that is both DECNET's .env.local and the unit's EnvironmentFile.
func (m *machine) env(t *testing.T, lines ...string) {
	t.Helper()
	path := filepath.Join(m.dir, "env")
	must(t, os.WriteFile(path, []byte(strings.Join(append(lines, ""), "\n")), 0o644)) //nolint:gosec // the daemon's user reads it
	m.put(t, path, "/opt/decnet/.env.local")
}

// entries are what the journal has with that field.
func (m *machine) entries(t *testing.T, match string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(m.must(t, "journalctl", "-o", "json", "--no-pager", match)) {
		entry := map[string]any{}
		must(t, json.Unmarshal([]byte(line), &entry))
		out = append(out, entry)
	}
	return out
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", append([]string{"-H", need(t, "IT_DOCKER_HOST")}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		if exit, is := errors.AsType[*exec.ExitError](err); is {
			out = exit.Stderr
		}
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return string(out)
}

// static builds the binary as it is shipped, without a C library; tags are for what only a test wants.
func static(t *testing.T, tags string) string {
	t.Helper()
	path := filepath.Join(need(t, "IT_DIR"), "bin", "decnet-fleetd-static"+tags)
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-o", path, "./cmd/decnet-fleetd")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}
