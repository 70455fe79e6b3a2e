package systemd

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// manager is the service manager's end of the socket.
type manager struct{ *net.UnixConn }

func listen(t *testing.T) manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd") //nolint:usetesting // a socket's path holds 107 bytes, t.TempDir's is longer
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return manager{c}
}

// heard is the next datagram; "" if there is none. What was sent is there already: a datagram socket has no way between.
func (m manager) heard(t *testing.T) string {
	t.Helper()
	if err := m.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := m.Read(b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

func TestEachWordIsOneDatagram(t *testing.T) {
	m := listen(t)
	n := Open()
	for want, say := range map[string]func() error{
		"READY=1\nSTATUS=2 deckies": func() error { return n.Ready("2 deckies") },
		"STATUS=bus down":           func() error { return n.Status("bus down") },
		"WATCHDOG=1":                n.Watchdog,
		"EXTEND_TIMEOUT_USEC=1500000\nSTATUS=standby": func() error { return n.Extend(1500*time.Millisecond, "standby") },
	} {
		if err := say(); err != nil {
			t.Fatal(err)
		}
		if got := m.heard(t); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

func TestReloadingCarriesTheMonotonicTimeInTheSameDatagram(t *testing.T) {
	m := listen(t)
	now := func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		return ts.Nano() / 1000
	}
	before := now()
	if err := Open().Reloading(); err != nil {
		t.Fatal(err)
	}
	stamp, ok := strings.CutPrefix(m.heard(t), "RELOADING=1\nMONOTONIC_USEC=")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || err != nil || at < before || at > now() {
		t.Errorf("stamp %q, began at %d: %v", stamp, before, err)
	}
}

func TestNothingIsSaidAfterStopping(t *testing.T) {
	m := listen(t)
	n := Open()
	for _, say := range []func() error{n.Stopping, n.Stopping, n.Watchdog, n.Reloading, func() error { return n.Ready("again") }} {
		if err := say(); err != nil {
			t.Fatal(err)
		}
	}
	if got := m.heard(t); got != "STOPPING=1" {
		t.Errorf("heard %q", got)
	}
	if got := m.heard(t); got != "" {
		t.Errorf("heard %q after the last word", got)
	}
}

func TestWithoutAManagerNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "30000000")
	n := Open()
	if n != nil {
		t.Fatal("a notifier to nobody")
	}
	for _, say := range []func() error{n.Stopping, n.Watchdog, n.Reloading, func() error { return n.Ready("") }} {
		if err := say(); err != nil {
			t.Error(err)
		}
	}
	if d, err := n.WatchdogTimeout(); d != 0 || err != nil {
		t.Errorf("%v, %v", d, err)
	}
}

func TestAManagerThatIsGoneIsAnErrorThatNamesTheSocket(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/nonexistent/notify")
	if err := Open().Status("x"); err == nil || !strings.Contains(err.Error(), `STATUS at "/nonexistent/notify"`) {
		t.Errorf("%v", err)
	}
}

func TestTheWatchdogIsThisProcessesOnly(t *testing.T) {
	listen(t)
	for claim, c := range map[string]struct {
		usec, pid string
		want      time.Duration
		bad       bool
	}{
		"not watched":              {"", "", 0, false},
		"watched":                  {"30000000", strconv.Itoa(os.Getpid()), 30 * time.Second, false},
		"watched without a pid":    {"1500000", "", 1500 * time.Millisecond, false},
		"somebody else is watched": {"30000000", "1", 0, false},
		"garbage":                  {"soon", "", 0, true},
		"no time at all":           {"0", "", 0, true},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Setenv("WATCHDOG_USEC", c.usec)
			t.Setenv("WATCHDOG_PID", c.pid)
			got, err := Open().WatchdogTimeout()
			if got != c.want || (err != nil) != c.bad {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestAStatusIsOneLineOfUTF8Whatever(t *testing.T) {
	if got := line("a\nREADY=1\x00b\xff"); got != "a READY=1 b?" {
		t.Errorf("%q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		got := line(string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")))
		if strings.ContainsAny(got, "\n\r\x00") || !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxLine {
			t.Errorf("%q", got)
		}
	})
}
