package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// terminal is a real terminal of 80 by 24, driven as a person would.
type terminal struct {
	t      *testing.T
	socket string
}

// openTerminal runs a program of the binary under test in a terminal of its own.
func openTerminal(t *testing.T, dir string, args ...string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		lack(t, "tmux is not installed: `integration/services.sh tools` does that")
	}
	x := &terminal{t: t, socket: dir + "/tmux.sock"}
	command := append([]string{"new-session", "-d", "-x", "80", "-y", "24", fleetd(t)}, args...)
	x.tmux(command...)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	return x
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	cmd := exec.CommandContext(x.t.Context(), "tmux", append([]string{"-f", "/dev/null", "-S", x.socket}, args...)...)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm-256color", quickExit)
	out, err := cmd.CombinedOutput()
	if err != nil {
		x.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func (x *terminal) press(keys ...string) { x.tmux(append([]string{"send-keys"}, keys...)...) }

// shows waits until the screen has every one of the words.
func (x *terminal) shows(words ...string) {
	x.t.Helper()
	eventually(x.t, soon, func() error {
		screen := x.tmux("capture-pane", "-p")
		for _, w := range words {
			if !strings.Contains(screen, w) {
				return unless(false, "the screen has no %q:\n%s", w, screen)
			}
		}
		return nil
	})
}

// ended says whether the program has left the terminal.
func (x *terminal) ended() bool {
	return exec.CommandContext(x.t.Context(), "tmux", "-S", x.socket, "has-session").Run() != nil
}

func TestTheTerminalConsoleShowsADeathAndFindsARestartedDaemon(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "screen", 2, "ssh")
	s := play(t, e, deckies...)
	x := openTerminal(t, s.dir, "console", "--control-socket", s.path("control.sock"))
	x.shows("screen-01", "screen-02", "running", "LIVE")

	e.kill(t, "screen-02-ssh")
	x.shows("! failed", "state_changed screen-02 running -> failed")

	x.press("j", "Enter")
	x.shows("decky screen-02", "FAILED", "exited")
	x.press("Escape")

	s.kill9()
	x.shows("LOST", "looking for it")
	s.start()
	x.shows("LIVE", "the daemon is back", "screen-01")

	x.press("/", "s", "t", "a", "t", "e", ":", "f", "a", "i", "l", "Enter")
	x.shows("deckies[1] /state:fail", "screen-02")
	x.press("q")
	eventually(t, soon, func() error { return unless(x.ended(), "q does not end the console") })
}
