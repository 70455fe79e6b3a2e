package statedir

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// fileMode lets the group read. Source: StateDirectoryMode of the unit, 0750.
const fileMode = 0o640

// maxLine bounds a line that is read; a longer one is skipped. Chosen: a crash record has at most 15 KiB, escaped twice
// that.
const maxLine = 64 << 10

// journal is a file of JSON lines. Safe from any goroutine.
type journal struct {
	path  string
	limit int64 // bytes at which the file is set aside
	sync  bool  // every line is on disk before append returns

	mu   sync.Mutex
	f    *os.File
	size int64
}

// openJournal makes the file if need be.
func openJournal(path string, limit int64, sync bool) (*journal, error) {
	j := &journal{path: path, limit: limit, sync: sync}
	if err := j.open(); err != nil {
		return nil, err
	}
	return j, nil
}

func (j *journal) open() error {
	f, err := os.OpenFile(j.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, fileMode)
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		_ = f.Close() // nothing was written
		return fmt.Errorf("journal %q is no regular file", j.path)
	}
	if info.Size() == 0 { // the unit's umask is stricter than what the group is promised
		if err := f.Chmod(fileMode); err != nil {
			_ = f.Close() // nothing was written
			return fmt.Errorf("open journal: %w", err)
		}
	}
	j.f, j.size = f, info.Size()
	return j.mend()
}

// mend ends a line that a crash tore, so that the next one is whole.
func (j *journal) mend() error {
	last := make([]byte, 1)
	if j.size == 0 {
		return nil
	}
	if _, err := j.f.ReadAt(last, j.size-1); err != nil || last[0] == '\n' {
		return err
	}
	n, err := j.f.WriteString("\n")
	j.size += int64(n)
	return err
}

func (j *journal) aside() string { return j.path + ".1" }

// append writes one line. A file that is full is set aside first; the one that was aside goes.
func (j *journal) append(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a line of %q: %w", j.path, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		if err := j.open(); err != nil {
			return err
		}
	}
	if j.size > 0 && j.size+int64(len(raw)) >= j.limit {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	n, err := j.f.Write(append(raw, '\n'))
	j.size += int64(n)
	if err == nil && j.sync {
		err = j.f.Sync()
	}
	if err != nil {
		_ = j.f.Close() // the next line opens it again, and mends what was torn
		j.f = nil
		return fmt.Errorf("write journal %q: %w", j.path, err)
	}
	return nil
}

func (j *journal) rotate() error {
	_ = j.f.Close() // every line is written
	j.f = nil
	if err := os.Rename(j.path, j.aside()); err != nil {
		return fmt.Errorf("set journal aside: %w", err)
	}
	return j.open()
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f != nil {
		_ = j.f.Close() // every line is written
		j.f = nil
	}
}

// readJournal gives the last most lines of what is aside and of the file, oldest first. Lines that cannot be read are
// skipped and counted.
func readJournal[T any](path string, most int) (all []T, skipped int, err error) {
	for _, p := range []string{path + ".1", path} {
		some, n, ferr := readLines[T](p)
		if ferr != nil && !errors.Is(ferr, fs.ErrNotExist) {
			err = errors.Join(err, ferr)
		}
		skipped += n
		all = append(all, some...)
		all = all[max(0, len(all)-most):]
	}
	return all, skipped, err
}

func readLines[T any](path string) (all []T, skipped int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }() // it was only read
	r := bufio.NewReaderSize(f, maxLine)
	for {
		line, err := r.ReadSlice('\n')
		for long := errors.Is(err, bufio.ErrBufferFull); errors.Is(err, bufio.ErrBufferFull); {
			if long {
				line = nil
			}
			_, err = r.ReadSlice('\n')
		}
		var v T
		switch {
		case err == nil && json.Unmarshal(line, &v) == nil:
			all = append(all, v)
		case err == nil:
			skipped++
		case errors.Is(err, io.EOF):
			if len(line) > 0 {
				skipped++ // torn
			}
			return all, skipped, nil
		default:
			return all, skipped, fmt.Errorf("read journal %q: %w", path, err)
		}
	}
}
