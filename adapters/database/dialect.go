package database

import (
	"database/sql"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// dialect holds everything in which the three engines differ.
type dialect struct {
	name string
	// lock ends a SELECT whose rows must not change before the commit. SQLite locks the file at BEGIN.
	lock string
	// text is the type that a timestamp is cast to for reading: as text it can be hostile without failing the query.
	text string
	// upsert and incoming build the clause that turns an INSERT into an update: ON upsert SET column = incoming(column).
	upsert   func(key string) string
	incoming func(column string) string
	// byID follows a table's name where its rows are looked for by id, and keeps the engine from any other index; "" where it
	// finds that out itself.
	byID string
	// returns: an INSERT can give back what it generated.
	returns bool
	// folds: the names in fleet_deckies compare by a collation, D1 is d1.
	folds bool
	// coarse: timestamps keep whole seconds, two writes within one look the same.
	coarse bool
	// isolation of a transaction that writes.
	isolation sql.IsolationLevel
	// exists answers with one row if a table of the given name is there; "" where only those are listed that the account
	// may use. tables lists the names of all tables.
	exists, tables string
	// columns lists the columns of fleet_deckies: name, type, length (0: any), 1 for one that an INSERT must have.
	columns string
	// keyed answers with one row if fleet_deckies has the key that an upsert needs; "" where the upsert itself says so.
	keyed string
	// commits gives a number that moves whenever another connection has committed; "" where there is none.
	commits string
	// clock gives the server's time in microseconds since 1970; "" for none but ours.
	clock string
	// narrow lists what cannot hold all of Unicode; "" where everything can.
	narrow string
	// whoami gives the account as GRANT has it, and the schema that the tables are in; "" where there are no accounts.
	whoami string
	// quote makes an identifier of any text, grantee the account of a GRANT.
	quote, grantee func(string) string
	// enter are the statements that bring an administrator to the schema, and the account into it.
	enter func(schema, grantee string) []string
	// steps are the statements of every minor version of our tables, from 0; each only adds. fleet makes DECNET's.
	steps [][]string
	fleet []string
	// writer and reader connect; they do not dial yet.
	writer, reader opener
	// kind sorts an error of the driver.
	kind func(error) kind
}

// Sizes of the pools.
const (
	// maxReaders lets the observer read while the publisher and the status do; each costs SQLite's page cache.
	maxReaders = 3
	// driverSlack is what the driver's own time limits add to ours: they catch what a context cannot, a COMMIT.
	driverSlack = 5 * time.Second
)

// serverLimit is when a server gives up a statement by itself: before our deadline, which costs the connection.
func serverLimit(limit time.Duration) time.Duration { return limit * 4 / 5 }

// onePool limits a pool to n connections that stay open.
func onePool(db *sql.DB, n int) *sql.DB {
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db
}

// quoted puts text between quotes, and doubles those in it.
func quoted(text, quote string) string {
	return quote + strings.ReplaceAll(text, quote, quote+quote) + quote
}

func onConflict(key string) string  { return "CONFLICT (" + key + ") DO UPDATE" }
func excluded(column string) string { return column + " = EXCLUDED." + column }
func onDuplicate(string) string     { return "DUPLICATE KEY UPDATE" }
func valuesOf(column string) string { return column + " = VALUES(" + column + ")" }

// opener makes a pool; the duration bounds a statement.
type opener func(target, time.Duration) (*bun.DB, error)
