package systemd

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Notifier speaks to the service manager. nil is one that says nothing. Its methods may be called from any goroutine;
// they block only while the manager does not read.
type Notifier struct{ over atomic.Bool }

// Open returns nil where no service manager listens.
func Open() *Notifier {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	return &Notifier{}
}

// WatchdogTimeout is how long the manager waits for a Watchdog before it restarts the daemon. 0: it does not watch this
// process. The error names the variable that makes no sense.
func (n *Notifier) WatchdogTimeout() (time.Duration, error) {
	if n == nil {
		return 0, nil
	}
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("read WATCHDOG_USEC=%q, WATCHDOG_PID=%q of the service manager: %w",
			os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID"), err)
	}
	return d, nil
}

// Ready says that the start, or a reload, is over, together with the line of status that is true then.
func (n *Notifier) Ready(status string) error {
	return n.say(daemon.SdNotifyReady + "\nSTATUS=" + line(status))
}

// Status shows one line in `systemctl status`.
func (n *Notifier) Status(status string) error { return n.say("STATUS=" + line(status)) }

// Watchdog says that the daemon is alive.
func (n *Notifier) Watchdog() error { return n.say(daemon.SdNotifyWatchdog) }

// Extend asks for so much time from now on before a start or stop counts as failed, and says what it is for.
func (n *Notifier) Extend(by time.Duration, status string) error {
	return n.say(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d\nSTATUS=%s", by.Microseconds(), line(status)))
}

// Reloading says that a reload begins; Ready ends it. The time goes into the same datagram, because Type=notify-reload
// takes a RELOADING=1 without it for one of an earlier reload.
func (n *Notifier) Reloading() error {
	return n.say(daemon.SdNotifyReloading + "\n" + strings.TrimSuffix(daemon.SdNotifyMonotonicUsec(), "\n"))
}

// Stopping says that the end begins. It is the last word: whatever is said later stays unsaid, for a READY=1 after it
// would take it back.
func (n *Notifier) Stopping() error {
	if n == nil || n.over.Swap(true) {
		return nil
	}
	return send(daemon.SdNotifyStopping)
}

func (n *Notifier) say(message string) error {
	if n == nil || n.over.Load() {
		return nil
	}
	return send(message)
}

func send(message string) error {
	if _, err := daemon.SdNotify(false, message); err != nil {
		what, _, _ := strings.Cut(message, "=")
		return fmt.Errorf("tell the service manager %s at %q: %w", what, os.Getenv("NOTIFY_SOCKET"), err)
	}
	return nil
}
