package database

// ownNames are our tables, in the order in which they are made.
var ownNames = []string{"fleetd_meta", "fleetd_lease", "fleetd_rev", "fleetd_outbox", "fleetd_mirror"}

// ownTypes are the types of our tables' columns on one engine.
type ownTypes struct {
	auto        string // an ascending key that is never given twice
	word        string // names and ids, up to 255 characters, may be part of a key
	topic       string // a name with every byte written %XX
	text        string // anything longer
	inlineIndex bool   // indexes are declared with the table: there is no CREATE INDEX IF NOT EXISTS
	options     string
}

// statements make our tables where they are missing. Times are text on every engine: UTC, six digits, as DECNET writes
// them, so that they sort and none is rounded.
func (t ownTypes) statements() []string {
	const index = "ix_fleetd_outbox_decky"
	inline := ""
	if t.inlineIndex {
		inline = ", KEY " + index + " (host_uuid, name)"
	}
	make := func(name, columns string) string {
		return "CREATE TABLE IF NOT EXISTS " + name + " (" + columns + ")" + t.options
	}
	all := []string{
		make(ownNames[0], "name "+t.word+" NOT NULL PRIMARY KEY, value "+t.text+" NOT NULL"),
		make(ownNames[1], "host_uuid "+t.word+" NOT NULL PRIMARY KEY, token BIGINT NOT NULL, owner "+t.word+" NOT NULL, "+
			"boot_id "+t.word+" NOT NULL, state_dir "+t.text+" NOT NULL, beat BIGINT NOT NULL"),
		make(ownNames[2], "host_uuid "+t.word+" NOT NULL, name "+t.word+" NOT NULL, rev BIGINT NOT NULL, "+
			"last_event_id "+t.word+" NOT NULL, PRIMARY KEY (host_uuid, name)"),
		make(ownNames[3], "id "+t.auto+", event_id "+t.word+" NOT NULL UNIQUE, host_uuid "+t.word+" NOT NULL, "+
			"name "+t.word+" NOT NULL, rev BIGINT NOT NULL, topic "+t.topic+" NOT NULL, payload "+t.text+" NOT NULL, "+
			"created_at "+t.word+" NOT NULL, parked "+t.text+inline),
	}
	if !t.inlineIndex {
		all = append(all, "CREATE INDEX IF NOT EXISTS "+index+" ON fleetd_outbox (host_uuid, name)")
	}
	return all
}

// mirrorStatements make the table that a hub keeps of what its workers reported: the revision it announced last, and up to
// which of the worker's own it has them.
func (t ownTypes) mirrorStatements() []string {
	return []string{"CREATE TABLE IF NOT EXISTS " + ownNames[4] + " (host_uuid " + t.word + " NOT NULL, name " + t.word + " NOT NULL, " +
		"rev BIGINT NOT NULL, last_event_id " + t.word + " NOT NULL, origin " + t.word + " NOT NULL, origin_rev BIGINT NOT NULL, " +
		"PRIMARY KEY (host_uuid, name))" + t.options}
}

// steps are the versions of our tables.
func (t ownTypes) steps() [][]string { return [][]string{t.statements(), t.mirrorStatements()} }

// fleetIndexes are DECNET's own on every engine.
var fleetIndexes = []string{
	"CREATE INDEX ix_fleet_deckies_host_uuid ON fleet_deckies (host_uuid)",
	"CREATE INDEX ix_fleet_deckies_state ON fleet_deckies (state)",
}

// sqliteFleet is what DECNET's baseline migration leaves in sqlite_master, blanks included: SQLite keeps the text.
var sqliteFleet = append([]string{"CREATE TABLE fleet_deckies (\n\thost_uuid VARCHAR NOT NULL, \n\tname VARCHAR NOT NULL, " +
	"\n\tservices TEXT NOT NULL, \n\tdecky_config TEXT, \n\tdecky_ip VARCHAR, \n\tstate VARCHAR NOT NULL, " +
	"\n\tlast_error TEXT, \n\tcompose_hash VARCHAR, \n\tlast_seen DATETIME, \n\tupdated_at DATETIME NOT NULL, " +
	"\n\tPRIMARY KEY (host_uuid, name)\n)"}, fleetIndexes...)

// mysqlFleet is what DECNET's models compile to for MySQL.
var mysqlFleet = append([]string{"CREATE TABLE fleet_deckies (\n\thost_uuid VARCHAR(255) NOT NULL, " +
	"\n\tname VARCHAR(255) NOT NULL, \n\tservices MEDIUMTEXT NOT NULL, \n\tdecky_config MEDIUMTEXT, " +
	"\n\tdecky_ip VARCHAR(255), \n\tstate VARCHAR(255) NOT NULL, \n\tlast_error TEXT, \n\tcompose_hash VARCHAR(255), " +
	"\n\tlast_seen DATETIME, \n\tupdated_at DATETIME NOT NULL, \n\tPRIMARY KEY (host_uuid, name)\n)"}, fleetIndexes...)

// postgresFleet follows the other two: DECNET itself does not run on PostgreSQL.
var postgresFleet = append([]string{"CREATE TABLE fleet_deckies (host_uuid VARCHAR NOT NULL, name VARCHAR NOT NULL, " +
	"services TEXT NOT NULL, decky_config TEXT, decky_ip VARCHAR, state VARCHAR NOT NULL, last_error TEXT, " +
	"compose_hash VARCHAR, last_seen TIMESTAMP, updated_at TIMESTAMP NOT NULL, PRIMARY KEY (host_uuid, name))"},
	fleetIndexes...)
