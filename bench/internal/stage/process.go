// Package stage sets up one host as DECNET does: state file, database, bus, engine, and the daemon that is measured.
// Everything is a process of its own, so that what is measured shares neither memory nor scheduler with what measures.
package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long a process may take to do what it is told: twice the slowest thing that was seen.
const patience = 30 * time.Second

// Process is a child with its standard error, or all it says, in a file.
type Process struct {
	Began time.Time // just before it was started
	log   string
	said  string // its standard output, where Once ran it
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has been reaped
	ended time.Time
}

// Program is what to start. Out takes its standard output; nil puts it to the log.
type Program struct {
	Log  string
	Path string
	Args []string
	Out  io.Writer
}

// Launch starts a program with an environment of its own: nothing of the machine's DECNET settings gets in.
func Launch(p Program) (*Process, error) {
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	defer log.Close()                      //nolint:errcheck // the child has its own descriptor
	cmd := exec.Command(p.Path, p.Args...) //nolint:noctx // it outlives whatever started it; End ends it
	cmd.Env = []string{"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "HOME=" + filepath.Dir(p.Log), "LANG=C.UTF-8"}
	cmd.Stdout, cmd.Stderr = p.Out, log
	if p.Out == nil {
		cmd.Stdout = log
	}
	// It must not survive the measuring program, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	child := &Process{Began: time.Now(), log: p.Log, cmd: cmd, done: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.Path, err)
	}
	go func() {
		_ = cmd.Wait() // ProcessState has what matters; how it ended is for the caller to judge
		child.ended = time.Now()
		close(child.done)
	}()
	return child, nil
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Alive says whether it runs.
func (p *Process) Alive() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Signal sends to this one process; one that has ended is no error.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.cmd.Path, err)
	}
	return nil
}

// Exit waits for the end and gives the exit code (-1: a signal) and how long it ran.
func (p *Process) Exit(ctx context.Context) (code int, ran time.Duration, err error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), p.ended.Sub(p.Began), nil
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-limit.C:
		return 0, 0, fmt.Errorf("%s still runs after %v\n%s", p.cmd.Path, patience, p.Tail())
	}
}

// Kill9 kills it and waits until it is gone.
func (p *Process) Kill9(ctx context.Context) error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_, _, err := p.Exit(ctx)
	return err
}

// Term asks it to end and gives how long that took. Another exit code than 0 is an error.
func (p *Process) Term(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return 0, err
	}
	code, _, err := p.Exit(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s: exit code %d after TERM\n%s", p.cmd.Path, code, p.Tail())
	}
	return p.ended.Sub(began), err
}

// End ends it whatever it takes.
func (p *Process) End() {
	_ = p.Signal(syscall.SIGTERM) // KILL follows
	limit := time.NewTimer(patience / 6)
	defer limit.Stop()
	select {
	case <-p.done:
	case <-limit.C:
		_ = p.Signal(syscall.SIGKILL) // nothing more can be done
		<-p.done
	}
}

// Tail is the end of its log.
func (p *Process) Tail() string {
	all, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(all), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-25):], []byte("\n")))
}

// Said is the standard output of a process that Once ran, and Ran how long it took.
func (p *Process) Said() string { return p.said }

// Ran is how long an ended process ran.
func (p *Process) Ran() time.Duration { return p.ended.Sub(p.Began) }
