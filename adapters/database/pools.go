package database

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/uptrace/bun"
)

// pools are the open connections: one for writing, a few for reading.
type pools struct {
	writer, reader *bun.DB
	file, log      fileID // of SQLite; log is zero until it was seen
}

// fileID tells a file from another one at the same path.
type fileID struct{ dev, ino uint64 }

// pools gives the open connections. For SQLite every call looks at the path first: SQLite goes on writing into a file
// that was deleted or replaced, and nobody would ever see those rows. Only the directory entry is looked at: opening
// and closing the file here would drop the locks SQLite holds on it in this process. create allows a new file.
func (db *DB) pools(create bool) (*pools, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, &Error{Where: db.at.where, What: "connect: closed for good", kind: kindOther}
	}
	id, err := db.identify(create)
	if err != nil {
		return nil, err
	}
	if db.open != nil && db.open.file == id {
		db.open.log = cmp.Or(db.open.log, db.logID())
		return db.open, nil
	}
	if db.open != nil && db.at.path != "" && db.logID() == db.open.log && db.open.log != (fileID{}) {
		// What is still open keeps the log's number from being given to another file.
		return nil, &Error{Where: db.at.where, What: "the database file was replaced, but not its write-ahead log", kind: kindUnopenable,
			Remedy: "stop DECNET, remove the files ending in -wal and -shm before they are applied to the wrong database"}
	}
	db.drop()
	p := &pools{file: id}
	writer := db.d.writer
	if db.at.readOnly {
		writer = db.d.reader
	}
	if p.writer, err = writer(db.at, db.cfg.Timeout); err != nil {
		return nil, err
	}
	if p.reader, err = db.d.reader(db.at, db.cfg.Timeout); err != nil {
		_ = p.writer.Close() // nothing was written through it
		return nil, err
	}
	db.open = p
	return p, nil
}

// identify looks at the SQLite file. An empty file is a valid new database to SQLite, so creating is enough.
func (db *DB) identify(create bool) (fileID, error) {
	if db.at.path == "" {
		return fileID{}, nil
	}
	info, err := os.Stat(db.at.path)
	if errors.Is(err, fs.ErrNotExist) && create {
		if err = touch(db.at.path); err == nil {
			info, err = os.Stat(db.at.path)
		}
	}
	what, k := "", kindUnopenable
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what, k = "the database file is missing", kindMissing
	case err != nil:
		what = "look at the database file"
	case !info.Mode().IsRegular():
		what = "the database file is no regular file"
	default:
		return idOf(info), nil
	}
	e := &Error{Where: db.at.where, What: what, kind: k}
	if k == kindUnopenable {
		e.cause = err
	}
	db.advise(e)
	return fileID{}, e
}

// logID looks at the write-ahead log; zero if there is none.
func (db *DB) logID() fileID {
	if db.at.path == "" {
		return fileID{}
	}
	info, err := os.Stat(db.at.path + "-wal")
	if err != nil {
		return fileID{}
	}
	return idOf(info)
}

// idOf is zero where the file system has no such numbers.
func idOf(info fs.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{st.Dev, st.Ino}
	}
	return fileID{}
}

// touch makes an empty file that only we and our group can read: configurations of deckies go in there.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	return f.Close()
}

// drop closes what is open. What the counters and caches knew was about that file.
func (db *DB) drop() {
	if db.open == nil {
		return
	}
	_ = db.open.reader.Close() // it is gone or being replaced; there is nothing left to do about an error
	_ = db.open.writer.Close()
	db.open = nil
	db.lifecycle.Store(false)
	db.outbox.forget()
}

// Reset closes the connections under whoever uses them; the next call connects again. It is for a statement that
// hangs past its deadline.
func (db *DB) Reset() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.drop()
}

// Close ends the DB; every later call fails.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.drop()
	db.closed = true
	return nil
}

// WALSize is the size of SQLite's write-ahead log in bytes; 0 where there is none.
func (db *DB) WALSize() int64 {
	if db.at.path == "" {
		return 0
	}
	info, err := os.Stat(db.at.path + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// bounded gives ctx the deadline of one statement.
func (db *DB) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, db.cfg.Timeout)
}
