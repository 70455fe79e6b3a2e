package database

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
)

var mysqlDialect = dialect{
	name:     "mysql",
	lock:     " FOR UPDATE",
	text:     "CHAR",
	upsert:   onDuplicate,
	incoming: valuesOf,
	folds:    true,
	coarse:   true,
	// At MySQL's default, REPEATABLE READ, the gap beside a missing row is locked too, and DECNET's INSERT may be the one that
	// a deadlock ends; and what DECNET commits while we wait for a row would not be seen.
	isolation: sql.LevelReadCommitted,
	columns: `SELECT column_name, data_type, COALESCE(character_maximum_length, 0),
		CASE WHEN is_nullable = 'NO' AND column_default IS NULL AND extra = '' THEN 1 ELSE 0 END
		FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'fleet_deckies'`,
	keyed: `SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'fleet_deckies' AND non_unique = 0
		GROUP BY index_name HAVING GROUP_CONCAT(column_name ORDER BY seq_in_index) IN ('host_uuid,name', 'name,host_uuid')`,
	clock: `SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)`,
	narrow: `SELECT CONCAT('column ', column_name, ' is ', character_set_name) FROM information_schema.columns
		WHERE table_schema = DATABASE() AND table_name = 'fleet_deckies' AND character_set_name <> 'utf8mb4' ORDER BY ordinal_position`,
	whoami: `SELECT CURRENT_USER(), DATABASE()`,
	quote:  func(name string) string { return quoted(name, "`") },
	grantee: func(account string) string {
		at := strings.LastIndexByte(account, '@') // the user's name may have one, the host's may not
		return quoted(account[:at], "'") + "@" + quoted(account[at+1:], "'")
	},
	enter:  func(schema, _ string) []string { return []string{"USE " + quoted(schema, "`")} },
	tables: `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()`,
	steps: ownTypes{auto: "BIGINT AUTO_INCREMENT PRIMARY KEY",
		word: "VARCHAR(255)", topic: "VARCHAR(2048)", text: "MEDIUMTEXT", inlineIndex: true,
		options: " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"}.steps(),
	fleet: mysqlFleet,
	writer: func(t target, limit time.Duration) (*bun.DB, error) {
		return openMySQL(t, limit, 1)
	},
	reader: func(t target, limit time.Duration) (*bun.DB, error) {
		return openMySQL(t, limit, maxReaders)
	},
	kind: mysqlKind,
}

// quietMySQL skips bun's question for the server's version: it has no deadline, prints to stderr where it fails, and
// selects features that no statement of ours uses.
type quietMySQL struct{ *mysqldialect.Dialect }

// Init asks nothing.
func (quietMySQL) Init(*sql.DB) {}

func openMySQL(t target, limit time.Duration, conns int) (*bun.DB, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = t.user, t.password, t.network, t.addr, t.database
	c.TLS = t.tls
	c.Timeout, c.ReadTimeout, c.WriteTimeout = limit, limit+driverSlack, limit+driverSlack
	c.ClientFoundRows = true // RowsAffected counts matches, as it does on the other two
	c.ParseTime, c.Loc = true, time.UTC
	c.Logger = &mysql.NopLogger{} // what it would print, the errors say
	seconds := max(1, int(serverLimit(limit).Seconds()))
	c.Params = map[string]string{
		// Without ANSI_QUOTES and NO_BACKSLASH_ESCAPES: bun's literals are safe only then.
		"sql_mode":                 "'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"time_zone":                "'+00:00'",
		"innodb_lock_wait_timeout": strconv.Itoa(seconds),
		// Else a statement that waits for somebody's ALTER TABLE goes on waiting for days after we have given it up.
		"lock_wait_timeout": strconv.Itoa(seconds),
		// Of a connection, for MySQL has no such limit of a transaction. The lease beats several times meanwhile.
		"wait_timeout": strconv.Itoa(2 * seconds),
	}
	if err := c.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	pool := onePool(sql.OpenDB(connector), conns)
	pool.SetConnMaxIdleTime(time.Duration(seconds) * time.Second) // before the server does, and warns of it in its log
	return bun.NewDB(pool, quietMySQL{mysqldialect.New()}), nil
}

// mysqlKind goes by the error numbers of MySQL's and MariaDB's manuals.
func mysqlKind(err error) kind {
	if errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, mysql.ErrMalformPkt) || errors.Is(err, mysql.ErrPktSync) {
		return kindAway
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return kindOther
	}
	switch e.Number {
	case 1062, 1586: // duplicate key
		return kindDuplicate
	case 1264, 1366, 1406, 3819, 4025: // out of range, text of another encoding, too long, a check constraint
		return kindValue
	case 1205, 1213, 1969, 3024, 3572: // lock wait, deadlock, statement time limits, no wait
		return kindLocked
	case 1146, 1054, 1051, 1364: // no such table, column; a column without default that we do not know
		return kindSchema
	case 1142, 1143, 1227, 1370: // command denied on table, column; a privilege is missing
		return kindDenied
	case 1290, 1792, 1836: // read-only server or transaction
		return kindReadOnly
	case 1044, 1045, 1049, 1698: // access denied, unknown database
		return kindLogin
	case 1021, 1030, 1114: // disk full, storage engine error, table full
		return kindDisk
	case 1034, 1035, 1194, 1712: // damaged table or index
		return kindDamaged
	case 1040, 1053, 1077, 1129, 1158, 1159, 1160, 1161, 1203, 1317, 1927, 4031: // too many connections, shutdown, killed, network, silent for too long
		return kindAway
	}
	return kindOther
}
