//go:build crashpoints

package crashpoint

import (
	"os"
	"sync"
	"syscall"
)

// armed is the file that says where to die: the step, and as many dots as the times it may pass before.
var armed = os.Getenv("FLEETD_CRASH_FILE")

var (
	mu     sync.Mutex
	passed = map[string]string{} // dots, by what the file said
)

// At kills the process if the file says so.
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
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // nothing more happens here
}
