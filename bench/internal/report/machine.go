package report

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// ThisMachine describes where we run.
func ThisMachine() Machine {
	return Machine{CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: field("/proc/meminfo", "MemTotal"),
		Kernel: firstLine("/proc/sys/kernel/osrelease"), Go: runtime.Version()}
}

func field(path, name string) string {
	f, err := os.Open(path) //nolint:gosec // of /proc
	if err != nil {
		return "unknown"
	}
	defer f.Close() //nolint:errcheck // only read
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func firstLine(path string) string {
	text, err := os.ReadFile(path) //nolint:gosec // of /proc
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// Root finds the repository: the nearest directory above that has go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("find the repository: no go.mod in this directory or above: run it inside of the repository")
}

// Commit names what is measured: the commit, with -dirty where the sources differ from it.
func Commit(ctx context.Context, root string) string {
	git := func(args ...string) string {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	head := git("rev-parse", "--short=12", "HEAD")
	if head == "" {
		return "unknown"
	}
	if git("status", "--porcelain", "--", "*.go", "go.mod", "go.sum") != "" {
		head += "-dirty"
	}
	return head
}

// Ticks are processor time of the whole machine since its start.
type Ticks struct{ All, Stolen int64 }

// TicksNow reads them; zero where the system does not tell.
func TicksNow() (t Ticks) {
	for i, f := range strings.Fields(firstLine("/proc/stat")) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || i > 8 { // the name of the line; guests are counted twice
			continue
		}
		t.All += n
		if i == 8 {
			t.Stolen = n
		}
	}
	return t
}

// StolenSince is the percentage of the time since then that the hypervisor gave to others.
func (t Ticks) StolenSince(then Ticks) float64 {
	if t.All <= then.All {
		return 0
	}
	return 100 * float64(t.Stolen-then.Stolen) / float64(t.All-then.All)
}
