package stage

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc: 100 a second on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// Memory is what a process occupies, in KiB, and how many threads it has.
type Memory struct{ RSS, Peak, Threads int64 }

// MemoryOf reads VmRSS, VmHWM and Threads.
func MemoryOf(pid int) (Memory, error) {
	var m Memory
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if fields := strings.Fields(line); len(fields) >= 2 {
			n, _ := strconv.ParseInt(fields[1], 10, 64) // another line than those below
			switch fields[0] {
			case "VmRSS:":
				m.RSS = n
			case "VmHWM:":
				m.Peak = n
			case "Threads:":
				m.Threads = n
			}
		}
	}
	if m.RSS == 0 {
		return m, fmt.Errorf("read memory: process %d has none", pid)
	}
	return m, nil
}

// CPUOf is the time a process has had, in user and system mode together.
func CPUOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read processor time: %q", text)
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("read processor time: %q", text)
	}
	return time.Duration(user+system) * tick, nil
}

// FilesOf counts open descriptors.
func FilesOf(pid int) (int, error) {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, fmt.Errorf("count descriptors: %w", err)
	}
	return len(all), nil
}

// WrittenOf is how many bytes a process caused to be written to disk.
func WrittenOf(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, fmt.Errorf("read written bytes: %w", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if n, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			return strconv.ParseInt(n, 10, 64)
		}
	}
	return 0, fmt.Errorf("read written bytes: %q", text)
}
