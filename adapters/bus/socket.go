package bus

import (
	"os"
	"path/filepath"
	"syscall"

	"github.com/decnet/decnet-fleetd/adapters/unixsock"
)

// SharedSocket is where DECNET's bus listens on an installed host.
const SharedSocket = "/run/decnet/bus.sock"

// Locator finds the bus socket as DECNET does.
type Locator struct {
	Explicit string // DECNET_BUS_SOCKET or a flag; taken verbatim
	Shared   string // "" means SharedSocket
	Home     string // of the user this process runs as; "" where it has none
}

// Socket is the path to use. DECNET takes the shared path only where it may write to its directory, so a member of the
// bus's group ends up at a path in its home where nobody listens; here a shared socket that exists is preferred.
func (l Locator) Socket() string {
	if l.Explicit != "" {
		return l.Explicit
	}
	shared := l.Shared
	if shared == "" {
		shared = SharedSocket
	}
	if unixsock.Identify(shared) != (unixsock.ID{}) || l.Home == "" || writableDir(filepath.Dir(shared)) {
		return shared
	}
	return filepath.Join(l.Home, ".decnet", "bus.sock")
}

func writableDir(dir string) bool {
	const write = 2 // W_OK
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && syscall.Access(dir, write) == nil
}
