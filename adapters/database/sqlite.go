package database

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var sqliteDialect = dialect{
	name:     "sqlite",
	text:     "TEXT",
	upsert:   onConflict,
	incoming: excluded,
	byID:     " NOT INDEXED", // without statistics it takes (host_uuid, name), and reads the whole outbox for one row
	returns:  true,
	commits:  "PRAGMA data_version",
	exists:   `SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND name = ?`,
	columns:  `SELECT name, '', 0, CASE WHEN "notnull" AND dflt_value IS NULL THEN 1 ELSE 0 END FROM pragma_table_info('fleet_deckies')`,
	tables:   `SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'`,
	steps: ownTypes{auto: "INTEGER PRIMARY KEY AUTOINCREMENT",
		word: "VARCHAR", topic: "VARCHAR", text: "TEXT"}.steps(),
	fleet: sqliteFleet,
	writer: func(t target, _ time.Duration) (*bun.DB, error) {
		return openSQLite(t.path, 1, "&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"+
			fmt.Sprintf("&_pragma=journal_size_limit(%d)&_pragma=temp_store(%d)", journalLimit, tempInMemory))
	},
	reader: func(t target, _ time.Duration) (*bun.DB, error) {
		if t.readOnly && hasLog(t.path) {
			return openSQLiteAs("ro", t.path, maxReaders, fmt.Sprintf("&_pragma=cache_size(-%d)", readerCacheKiB))
		}
		return openSQLite(t.path, maxReaders, fmt.Sprintf("&_pragma=query_only(1)&_pragma=cache_size(-%d)", readerCacheKiB))
	},
	kind: sqliteKind,
}

const (
	// journalLimit shrinks the WAL again after a reader of DECNET's held it open: 97 MiB in 4 s were measured.
	journalLimit = 16 << 20
	// tempInMemory keeps the pages that a single statement could have to undo out of files. Source: measured, those cost a twelfth of a
	// hub's transaction of 475 transitions.
	tempInMemory = 2
	// lockWait is how long SQLite waits for another writer, in milliseconds; whoever calls us calls again.
	lockWait = 1000
	// readerCacheKiB is a quarter of SQLite's default: a complete read touches every page once.
	readerCacheKiB = 512
)

// hasLog says whether a process has the file open in WAL mode: without the log's index beside it a read-only connection
// cannot read at all, and one that only asks for no writes has to make it.
func hasLog(path string) bool {
	_, err := os.Stat(path + "-shm")
	return err == nil
}

// openSQLite opens with mode=rw, which never creates the file. foreign_keys is off as in DECNET's own connections.
func openSQLite(path string, conns int, more string) (*bun.DB, error) {
	return openSQLiteAs("rw", path, conns, more)
}

func openSQLiteAs(mode, path string, conns int, more string) (*bun.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?mode=" + mode +
		fmt.Sprintf("&_pragma=busy_timeout(%d)&_pragma=foreign_keys(0)", lockWait) + more
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	return bun.NewDB(onePool(db, conns), sqlitedialect.New()), nil
}

func sqliteKind(err error) kind {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return kindOther
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return kindDuplicate
	case sqlite3.SQLITE_CONSTRAINT_CHECK, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH:
		return kindValue
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(e.Error(), "no such table") || strings.Contains(e.Error(), "no such column") ||
			strings.Contains(e.Error(), "has no column") || strings.Contains(e.Error(), "does not match any PRIMARY KEY or UNIQUE") {
			return kindSchema
		}
	}
	switch e.Code() & 0xff { // the rest of an extended code is detail
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT:
		return kindLocked
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return kindReadOnly
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return kindDisk
	case sqlite3.SQLITE_CANTOPEN:
		return kindUnopenable
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return kindDamaged
	}
	return kindOther
}
