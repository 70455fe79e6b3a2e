// Package database reads and writes table fleet_deckies and decnet-fleetd's own tables beside it.
//
// It owns the connections, the tables named fleetd_*, the encoding of rows and the one transaction in which a row and
// its outbox entry become durable together. It decides nothing about deckies: it compares what it was told to expect
// with what is there and answers. Row by row it writes what DECNET writes, byte for byte. DECNET's schema is never
// migrated, its SQLite file never created, moved or repaired; rows of another host are never touched.
//
// SQLite, PostgreSQL and MySQL (MariaDB) are values of one type, dialect: every statement is written once, the
// differences are fields. All text that reaches a statement is made a literal by bun, which is safe only under settings
// of the connection that the dialects enforce (utf8mb4 and backslash escapes on MySQL, standard strings on PostgreSQL).
//
// The methods of DB are the ports of the store (Apply, Acknowledge, Look, Take, Beat, Release) and of the publisher
// (Pending, Depth, Park); Recorded is the observer of a source. All of them may be called from any goroutine. Nothing
// in here retries for ever: errors say what is wrong, what to do, and by Retryable whether to call again.
package database
