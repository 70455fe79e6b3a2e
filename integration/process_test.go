package integration

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a child of the test with its output in a file.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has been reaped
}

// quickExit keeps the race detector from sleeping a second at the end of every process.
const quickExit = "GORACE=atexit_sleep_ms=20"

// launch starts a program with an environment of its own: nothing of the machine's DECNET settings gets in.
func launch(t *testing.T, log, program string, args ...string) *process {
	t.Helper()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer out.Close() //nolint:errcheck // the child has its own descriptor
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + filepath.Dir(log), "LANG=C.UTF-8", quickExit}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(t, cmd.Start())
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // ProcessState has what matters; how it ended is for the test to judge
	}()
	return p
}

func (p *process) alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal sends to this one process; one that has ended is no error.
func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// exit waits for the end and gives the exit code, -1 for one that a signal ended.
func (p *process) exit(t *testing.T, within time.Duration) int {
	t.Helper()
	limit := time.NewTimer(within)
	defer limit.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-limit.C:
		t.Fatalf("%s still runs %s after it should have ended\n%s", p.cmd.Path, within, p.tail())
		return -1
	}
}

func (p *process) kill9(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	p.exit(t, soon)
}

// end is the orderly stop of cleanups: TERM, then KILL.
func (p *process) end(t *testing.T) {
	if !p.alive() {
		return
	}
	p.signal(t, syscall.SIGTERM)
	limit := time.NewTimer(soon)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		t.Errorf("%s ignores TERM for %s\n%s", p.cmd.Path, soon, p.tail())
		p.kill9(t)
	}
}

// output runs a program to its end and gives its standard output and exit code; its standard error goes to the test's log.
func output(ctx context.Context, t *testing.T, program string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, args...)
	var out, log bytes.Buffer
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "LANG=C.UTF-8", quickExit}
	cmd.Stdout, cmd.Stderr = &out, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // one that hangs says where
	cmd.WaitDelay = prompt
	err := cmd.Run()
	t.Logf("%s\n%s", cmd, log.String())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// tail is the end of its output.
func (p *process) tail() string {
	all, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(all), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-60):], []byte("\n")))
}

// scars finds what no run may leave in its log: data races and panics, recovered ones too.
func (p *process) scars(t *testing.T) {
	t.Helper()
	all, err := os.ReadFile(p.log)
	must(t, err)
	for _, scar := range []string{"WARNING: DATA RACE", "panic:", "fatal error:", "goroutine 1 ["} {
		if at := strings.Index(string(all), scar); at >= 0 {
			t.Errorf("%s in the log of %s:\n%.4000s", scar, p.cmd.Path, all[at:])
			return
		}
	}
}

// built builds the product once, with the race detector. IT_BINARY names another one to test.
var built = sync.OnceValues(func() (string, error) {
	if services["IT_BINARY"] != "" {
		return filepath.Abs(services["IT_BINARY"])
	}
	return compiled("decnet-fleetd", "dev")
})

// next is the same as another version. IT_NEXT_BINARY names a build of another commit.
var next = sync.OnceValues(func() (string, error) {
	if services["IT_NEXT_BINARY"] != "" {
		return filepath.Abs(services["IT_NEXT_BINARY"])
	}
	return compiled("decnet-fleetd-next", "next")
})

func compiled(name, version string) (string, error) {
	path := filepath.Join(services["IT_DIR"], "bin", name)
	build := exec.Command("go", "build", "-race", "-buildvcs=false", "-ldflags", "-X main.version="+version, "-o", path, "./cmd/decnet-fleetd")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New("build decnet-fleetd: " + err.Error() + "\n" + string(out))
	}
	return path, nil
}

// fleetd is the path of the binary under test.
func fleetd(t *testing.T) string {
	t.Helper()
	need(t, "IT_DIR")
	path, err := built()
	must(t, err)
	return path
}
