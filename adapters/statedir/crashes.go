package statedir

import (
	"path/filepath"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of the crash records. Chosen: a record has at most some 15 KiB, mostly 3; the supervisor keeps as many.
const (
	crashBytes  = 4 << 20
	crashMemory = 256
)

// Crashes keeps crash records. Safe from any goroutine.
type Crashes struct {
	file    *journal
	earlier []messages.CrashRecord
}

// OpenCrashes reads what earlier lives of the daemon left. skipped lines could not be read.
func OpenCrashes(dir string) (c *Crashes, skipped int, err error) {
	path := filepath.Join(dir, "crashes.jsonl")
	c = &Crashes{}
	if c.earlier, skipped, err = readJournal[messages.CrashRecord](path, crashMemory); err != nil {
		return nil, skipped, err
	}
	c.file, err = openJournal(path, crashBytes, false)
	return c, skipped, err
}

// Earlier gives the records of earlier lives, oldest first. It is not to be changed.
func (c *Crashes) Earlier() []messages.CrashRecord { return c.earlier }

// Last is the highest ID of an earlier life, 0 if there is none.
func (c *Crashes) Last() (id uint64) {
	for _, r := range c.earlier {
		id = max(id, r.ID)
	}
	return id
}

// Append keeps one record.
func (c *Crashes) Append(r messages.CrashRecord) error { return c.file.append(r) }

// Close gives the file up.
func (c *Crashes) Close() { c.file.close() }
