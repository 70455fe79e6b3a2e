package integration

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
)

// quietStage is a stage on a simulated engine whose only decky, d1, runs and is recorded so.
func quietStage(t *testing.T) *stage {
	t.Helper()
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("d1", "ssh"))
	s.engine.host = "unix://" + simulate(t, s.path("docker.sock"), map[string]string{"d1-ssh": "running"})
	if out, code := s.command("reconcile", "--once"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	return s
}

// complaint runs a verb and gives everything it printed, and the exit code.
func (s *stage) complaint(verb ...string) (string, int) {
	s.t.Helper()
	log := s.path("complaint.log")
	_ = os.Remove(log)
	p := launch(s.t, log, fleetd(s.t), append(verb, s.flags()...)...)
	code := p.exit(s.t, soon)
	return p.tail(), code
}

// TestABadFileChangesNothingAndIsNamed: whatever stands where the state file should be, rows stay as they are, the exit
// code is 1, and the message names the file and what is wrong with it.
func TestABadFileChangesNothingAndIsNamed(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, path string)
		says string
	}{
		{"empty", text2file(""), "empty"},
		{"truncated", text2file(`{"config": {"mode"`), "line 1"},
		{"not JSON", text2file("hello"), "line 1"},
		{"a list", text2file("[]"), "object"},
		{"without config", text2file(`{"compose_path":"x"}`), "config"},
		{"without deckies", text2file(`{"config":{"deckies":[]},"compose_path":"x"}`), "deckies"},
		{"NUL bytes", text2file("\x00\x00\x00\x00"), "line 1"},
		{"invalid UTF-8", text2file("{\"config\": \"\xff\xfe\"}"), ""},
		{"100 MB", huge, "more than 16777216"},
		{"a FIFO", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }, "regular file"},
		{"a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "regular file"},
		{"a symbolic link", func(t *testing.T, path string) { must(t, os.Symlink("/etc/passwd", path)) }, "symbolic link"},
		{"world-writable", func(t *testing.T, path string) { text2file("{}")(t, path); must(t, os.Chmod(path, 0o666)) }, "written by everybody"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := quietStage(t)
			before := s.db.rows(t)
			path := s.path("decnet-state.json")
			must(t, os.Remove(path))
			tc.make(t, path)
			said, code := s.complaint("reconcile", "--once")
			if code != 1 || !strings.Contains(said, "decnet-state.json") || !strings.Contains(said, tc.says) {
				t.Errorf("exit %d, want 1 and %q:\n%s", code, tc.says, said)
			}
			if after := s.db.rows(t); text(after) != text(before) {
				t.Errorf("rows changed: %s", text(after))
			}
		})
	}
}

func text2file(content string) func(*testing.T, string) {
	return func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte(content), 0o600)) }
}

func huge(t *testing.T, path string) {
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(100<<20))
	must(t, f.Close())
}

// TestHostileNamesHarmNobody: names that no topic, path or terminal should see are refused one by one, or carried
// through unharmed; the other deckies proceed.
func TestHostileNamesHarmNobody(t *testing.T) {
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("good", "ssh"), declare("twin", "ssh"),
		declare("twin", "http"), declare("a.b", "ssh"), declare("../../etc", "ssh"), declare("*", "ssh"), declare("d\x1b[31m", "ssh"),
		declare(strings.Repeat("x", 129), "ssh"), declare("", "ssh"), declare("dé👻", "ssh"))
	out, code := s.command("reconcile", "--once")
	if code != 0 || !strings.HasPrefix(out, "reconcile: inserted=5 deleted=0 state_updated=0") {
		t.Errorf("exit %d: %s", code, out)
	}
	var names []string
	for _, r := range s.db.rows(t) {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); got != "* ../../etc a.b dé👻 good" {
		t.Errorf("rows of %s", got)
	}
	for _, topic := range []string{"decky.local:%2A.state", "decky.local:%2E%2E/%2E%2E/etc.state", "decky.local:a%2Eb.state", "decky.local:d%C3%A9%F0%9F%91%BB.state"} {
		eventually(t, prompt, func() error {
			for _, e := range s.sub.all(t) {
				if e.topic == topic {
					return nil
				}
			}
			return unless(false, "nothing on %s", topic)
		})
	}
	said, _ := s.complaint("reconcile", "--once")
	if strings.Contains(said, "\x1b[31m") || !strings.Contains(said, "twin") {
		t.Errorf("stderr: %q", said)
	}
}

// TestAFaultOfTheConfigurationExits78 with the thing and the remedy named.
func TestAFaultOfTheConfigurationExits78(t *testing.T) {
	s := quietStage(t)
	empty := s.path("empty.db")
	must(t, os.WriteFile(empty, nil, 0o600))
	garbage := s.path("garbage.db")
	must(t, os.WriteFile(garbage, []byte(strings.Repeat("not a database ", 1000)), 0o600))
	file := s.path("a-file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, tc := range []struct {
		name string
		flag []string
		says string
	}{
		{"a database without the table", []string{"--database", "sqlite://" + empty}, "fleet_deckies"},
		{"a scheme nobody speaks", []string{"--database", "oracle://x"}, "postgres://"},
		{"an interval that is none", []string{"--interval", "soon"}, "interval"},
		{"a bus nobody knows", []string{"--bus", "carrier-pigeon"}, "carrier-pigeon"},
		{"a state directory that is a file", []string{"--state-dir", file}, "a-file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			log := filepath.Join(shortDir(t, ""), "log")
			p := launch(t, log, fleetd(t), append(append([]string{"serve"}, s.flags()...), tc.flag...)...)
			if code := p.exit(t, soon); code != 78 || !strings.Contains(p.tail(), tc.says) {
				t.Errorf("exit %d, want 78 and %q:\n%s", code, tc.says, p.tail())
			}
		})
	}
	if said, code := s.complaint("serve", "--no-such-flag"); code != 2 || !strings.Contains(said, "no-such-flag") {
		t.Errorf("unknown flag: exit %d\n%s", code, said)
	}
}

func TestASecondDaemonOnTheDirectoryWaitsOrLeaves(t *testing.T) {
	s := quietStage(t)
	s.start()
	s.reaches2("d1")
	if said, code := s.complaint("serve", "--no-wait"); code != 0 || !strings.Contains(said, "another daemon") {
		t.Errorf("exit %d\n%s", code, said)
	}
	second := startDaemon(t, s.path("second.log"), append([]string{"serve"}, s.flags()...)...)
	eventually(t, prompt, func() error { return unless(strings.Contains(second.tail(), "standby"), "%s", second.tail()) })
	s.kill9()
	eventually(t, soon, func() error { return unless(strings.Contains(second.tail(), "owns the host"), "%s", second.tail()) })
}

// reaches2 waits until the daemon answers that a decky is quiet.
func (s *stage) reaches2(name string) {
	s.t.Helper()
	eventually(s.t, soon, func() error {
		out, code := s.command("deckies", "-o", "json")
		return unless(code == 0 && strings.Contains(out, `"`+name+`"`), "exit %d: %s", code, out)
	})
}

// TestABadEngineIsUnknownAndRecoversByItself: nothing is concluded from it, and as soon as it is sane again the truth is
// written.
func TestABadEngineIsUnknownAndRecoversByItself(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults dockersim.Faults
	}{
		{"hangs", dockersim.Faults{Hang: true}},
		{"answers 500", dockersim.Faults{Status: 500}},
		{"truncates its list", dockersim.Faults{Truncate: true}},
		{"talks garbage", dockersim.Faults{Body: "<html>", EventBody: "<html>"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("d1", "ssh"))
			sim := s.simulated(t, map[string]string{"d1-ssh": "running"})
			s.start()
			s.reaches("d1", "running", soon)
			sim.SetFaults(tc.faults)
			sim.CutStreams()
			eventually(t, soon, func() error {
				out, _ := s.command("status", "-o", "json")
				return unless(componentState(out, "docker") == "down", "%s", out)
			})
			must(t, sim.Kill("d1-ssh"))
			s.quiet("d1", calm)
			sim.SetFaults(dockersim.Faults{})
			s.reaches("d1", "failed", soon)
			s.consistent("d1")
		})
	}
}

// simulated serves an engine that the test can spoil.
func (s *stage) simulated(t *testing.T, containers map[string]string) *dockersim.Engine {
	t.Helper()
	sim, err := dockersim.New(dockersim.Config{Now: time.Now})
	must(t, err)
	for name, state := range containers {
		_, err := sim.Create(dockersim.Spec{Name: name, State: state})
		must(t, err)
	}
	serveSim(t, sim, s.path("docker.sock"))
	s.engine.host = "unix://" + s.path("docker.sock")
	return sim
}

func componentState(status, component string) string {
	var answer struct {
		Components []struct{ Component, State string }
	}
	if err := json.Unmarshal([]byte(status), &answer); err != nil {
		return err.Error()
	}
	for _, c := range answer.Components {
		if c.Component == component {
			return c.State
		}
	}
	return "not listed"
}

// TestAGarbledBusLosesNothing: a server that talks nonsense, or takes everything and answers nothing, delays.
func TestAGarbledBusLosesNothing(t *testing.T) {
	for _, tc := range []struct {
		name  string
		serve func(net.Conn)
	}{
		{"garbage frames", func(c net.Conn) { _, _ = c.Write([]byte("\x00\xff\xfe not a frame\n\x7f\xff\xff\xff")) }},
		{"takes and never answers", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }},
		{"hangs up at once", func(c net.Conn) { _ = c.Close() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("d1", "ssh"))
			s.engine.host = "unix://" + simulate(t, s.path("docker.sock"), map[string]string{"d1-ssh": "running"})
			sock := s.path("bus.sock")
			must(t, os.Rename(sock, s.path("good.sock")))
			l, err := net.Listen("unix", sock)
			must(t, err)
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go tc.serve(c)
				}
			}()
			s.start()
			eventually(t, soon, func() error { return s.db.state(t, "d1", "running") })
			must(t, os.Rename(s.path("good.sock"), sock))
			s.reaches("d1", "running", soon)
		})
	}
}

// TestAMissingDatabaseIsWaitedFor: DECNET makes its database when it first starts, which may be after us.
func TestAMissingDatabaseIsWaitedFor(t *testing.T) {
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("d1", "ssh"))
	s.engine.host = "unix://" + simulate(t, s.path("docker.sock"), map[string]string{"d1-ssh": "running"})
	must(t, s.db.sql.Close())
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(s.db.path + end)
	}
	s.start()
	eventually(t, prompt, func() error { return unless(strings.Contains(s.daemon.tail(), "decnet.db"), "%s", s.daemon.tail()) })
	made := newDatabase(t, s.path("made.db"))
	must(t, made.sql.Close())
	must(t, os.Rename(made.path, s.db.path))
	s.db = openDatabase(t, s.db.path)
	s.reaches("d1", "running", soon)
}

// TestAReadOnlyDatabaseIsSaid and nothing is lost: with the right to write back, the row is.
func TestAReadOnlyDatabaseIsSaid(t *testing.T) {
	s := quietStage(t)
	s.engine.host = "unix:///nonexistent/docker.sock"
	s.declare(declare("d1", "ssh"), declare("d2", "ssh"))
	if os.Geteuid() == 0 {
		s.readOnlyForRoot(t)
		return
	}
	must(t, os.Chmod(s.db.path, 0o400))
	if said, code := s.complaint("reconcile", "--once"); code == 0 || !strings.Contains(said, "decnet.db") {
		t.Errorf("exit %d\n%s", code, said)
	}
}

// readOnlyForRoot makes a write fail for a user whom no mode stops: the engine of the database is told to.
func (s *stage) readOnlyForRoot(t *testing.T) {
	t.Helper()
	s.db.exec(t, "CREATE TRIGGER no_writes BEFORE INSERT ON fleet_deckies BEGIN SELECT RAISE(ABORT, 'attempt to write a readonly database'); END")
	said, code := s.complaint("reconcile", "--once")
	if code != 1 || !strings.Contains(said, "readonly") {
		t.Errorf("exit %d, want 1\n%s", code, said)
	}
	s.db.exec(t, "DROP TRIGGER no_writes")
	if out, code := s.command("reconcile", "--once"); code != 0 || !strings.HasPrefix(out, "reconcile: inserted=1") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestALockedDatabaseDelaysOnce: another process holds the database for two seconds; the pass waits and succeeds.
func TestALockedDatabaseDelaysOnce(t *testing.T) {
	s := quietStage(t)
	s.declare(declare("d1", "ssh"), declare("d2", "ssh"))
	c, err := s.db.sql.Conn(t.Context())
	must(t, err)
	_, err = c.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	free := time.AfterFunc(2*time.Second, func() { _, _ = c.ExecContext(t.Context(), "ROLLBACK"); _ = c.Close() })
	defer free.Stop()
	if out, code := s.command("reconcile", "--once"); code != 0 || !strings.HasPrefix(out, "reconcile: inserted=1") {
		t.Errorf("exit %d: %s", code, out)
	}
}
