// Package skew builds the product with a wall clock that can be set while it runs, without touching the machine's: the
// compiler is handed another time.Now, which adds to the seconds what a file says. The monotonic reading stays what it is, as
// it does when a real clock jumps, and everything that is linked in meets the jump, not only what takes a clock as a parameter.
package skew

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Env is the variable that names the file. Without it the clock is right.
const Env = "FLEETD_CLOCK_FILE"

// reading is the line of time.Now that asks the runtime; errSource is a Go that has it no more.
const reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"

var errSource = errors.New("skew: this Go reads its clock in another way")

// added goes to the end of package time. The file is mapped and not read: the runtime asks for the time where no system call may
// be made.
const added = `
var skewBy = skewMap()

func skewMap() *atomic.Int64 {
	name, ok := syscall.Getenv("` + Env + `")
	if !ok {
		return new(atomic.Int64)
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("the file of the clock: " + err.Error())
	}
	mem, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("the file of the clock: " + err.Error())
	}
	syscall.Close(fd)
	return (*atomic.Int64)(unsafe.Pointer(&mem[0]))
}

func skew() int64 {
	if skewBy == nil { // before this package is initialised
		return 0
	}
	return skewBy.Load()
}
`

// Build makes the binary out of the source tree at root.
func Build(ctx context.Context, root, program string) error {
	dir, err := os.MkdirTemp("", "skew")
	if err != nil {
		return fmt.Errorf("make a directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	overlay, err := prepare(ctx, dir)
	if err != nil {
		return err
	}
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-overlay", overlay, "-o", program, "./cmd/decnet-fleetd")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build with another clock: %w\n%s", err, out)
	}
	return nil
}

// prepare writes the other time.go and what tells the compiler of it.
func prepare(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("ask for GOROOT: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("read Go's clock: %w", err)
	}
	source, ok := skewed(string(text))
	if !ok {
		return "", errSource
	}
	other, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	list, err := json.Marshal(map[string]map[string]string{"Replace": {original: other}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(os.WriteFile(other, []byte(source), 0o600), os.WriteFile(overlay, list, 0o600))
}

// skewed gives the source of package time's time.go with the other clock.
func skewed(text string) (string, bool) {
	const imports = "import (\n"
	if strings.Count(text, reading) != 1 || strings.Count(text, imports) != 1 {
		return "", false
	}
	text = strings.Replace(text, "\t_ \"unsafe\" // for go:linkname\n", "\t\"unsafe\"\n", 1)
	text = strings.Replace(text, reading, reading+"\tsec += skew()\n", 1)
	return strings.Replace(text, imports, imports+"\t\"sync/atomic\"\n\t\"syscall\"\n", 1) + added, true
}

// Set makes the clock of every process with that file wrong by so much, in whole seconds. The file must be there, even of a
// clock that is right, before such a process starts.
func Set(file string, by time.Duration) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by/time.Second)), 0) //nolint:gosec // its bits are what counts
	return errors.Join(err, f.Close())
}
