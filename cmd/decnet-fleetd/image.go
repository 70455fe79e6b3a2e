package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mapping is a stretch of our address space.
type mapping struct{ from, to uintptr }

// forgetImage takes the pages of our own program out of our address space. What is still used comes back from the page
// cache with a soft fault each; what only the start needed, the tables and texts of every verb, does not. It fails where
// /proc is not there, and then costs memory only.
func forgetImage() error {
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	for _, m := range untouched(f, exe) {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
			return fmt.Errorf("madvise: %w", errno)
		}
	}
	return nil
}

// untouched are the mappings of a file that cannot be written to and of which no page is our own copy: these alone may
// be forgotten, a page that was changed would come back unchanged.
func untouched(smaps io.Reader, file string) (out []mapping) {
	var m mapping
	ours := false
	for s := bufio.NewScanner(smaps); s.Scan(); {
		line := s.Text()
		var from, to uintptr
		var mode string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); n == 3 {
			m, ours = mapping{from, to}, strings.HasSuffix(line, " "+file) && !strings.Contains(mode, "w")
			continue
		}
		if rest, found := strings.CutPrefix(line, "Anonymous:"); found && ours && strings.TrimSpace(rest) == "0 kB" {
			out = append(out, m)
		}
	}
	return out
}
