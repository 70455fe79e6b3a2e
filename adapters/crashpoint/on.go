//go:build crashpoints

package crashpoint

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// armed is the file that says where to die: the step, and as many dots as the times it may pass before.
var armed = os.Getenv("FLEETD_CRASH_FILE")

var (
	mu     sync.Mutex
	passed = map[string]string{} // dots, by what the file said
)

// stops is set where the process is to be stopped, as by a debugger or a frozen cgroup, instead of killed.
var stops = os.Getenv("FLEETD_CRASH_STOPS") != ""

// At kills or stops the process if the file says so. One that was stopped goes on when the file is gone.
func At(step Step) {
	text, err := os.ReadFile(armed)
	if err != nil {
		return // not armed
	}
	mu.Lock()
	defer mu.Unlock()
	order := string(text)
	if at := string(step) + passed[order]; at != order {
		if len(order) > len(at) && order[:len(at)] == at && order[len(at)] == '.' {
			passed[order] += "."
		}
		return
	}
	if !stops {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // nothing more happens here
	}
	for _ = syscall.Kill(os.Getpid(), syscall.SIGSTOP); err == nil; _, err = os.Stat(armed) {
		time.Sleep(time.Millisecond) // a signal to the process need not stop this thread first
	}
}
