package statedir

import (
	"path/filepath"
	"slices"
	"sync"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of the audit. Chosen: an entry has some 200 bytes, so both files hold 40,000 of them.
const (
	auditBytes  = 4 << 20 // of each of the two files
	auditMemory = 4096    // entries that are shown
)

// Audit keeps what control verbs somebody asked for. Safe from any goroutine.
type Audit struct {
	file *journal

	mu   sync.Mutex
	last []messages.AuditEntry // oldest first
	seq  int64
}

// OpenAudit reads what is there. skipped lines could not be read.
func OpenAudit(dir string) (a *Audit, skipped int, err error) {
	path := filepath.Join(dir, "audit.jsonl")
	a = &Audit{}
	if a.last, skipped, err = readJournal[messages.AuditEntry](path, auditMemory); err != nil {
		return nil, skipped, err
	}
	for _, e := range a.last {
		a.seq = max(a.seq, e.Seq)
	}
	a.file, err = openJournal(path, auditBytes, true)
	return a, skipped, err
}

// Record numbers an entry and keeps it. An error means that it is in memory only.
func (a *Audit) Record(e messages.AuditEntry) (messages.AuditEntry, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	e.Seq = a.seq
	if len(a.last) == auditMemory {
		a.last = slices.Delete(a.last, 0, auditMemory/8) // many at once, so that it is not done every time
	}
	a.last = append(a.last, e)
	return e, a.file.append(e)
}

// Entries gives the last entries, newest first.
func (a *Audit) Entries() []messages.AuditEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.last)
	slices.Reverse(out)
	return out
}

// Close gives the file up.
func (a *Audit) Close() { a.file.close() }
