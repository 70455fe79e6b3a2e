package database

import (
	"context"
	"database/sql"
	"errors"

	"github.com/decnet/decnet-fleetd/messages"
)

// hostsTable is where DECNET keeps the hosts it enrolled.
const hostsTable = "swarm_hosts"

// maxHosts bounds the hosts that are looked at. Chosen: a hundred times the largest swarm the design is for.
const maxHosts = 10_000

// Pins gives all enrolled hosts with the fingerprints of their certificates.
func (db *DB) Pins(ctx context.Context) ([]messages.Pin, error) {
	p, err := db.pools(false)
	if err != nil {
		return nil, err
	}
	var pins []messages.Pin
	err = db.each(ctx, p.reader, func(rows *sql.Rows) error {
		var one messages.Pin
		var host, name, fp sql.NullString
		err := rows.Scan(&host, &name, &fp)
		one.HostUUID, one.Name, one.Fingerprint = clip(host.String, maxWord), clip(name.String, maxName), clip(fp.String, maxWord)
		pins = append(pins, one)
		return err
	}, "SELECT uuid, name, client_cert_fingerprint FROM "+hostsTable+" ORDER BY uuid LIMIT ?", maxHosts)
	err = db.explain("read the enrolled hosts", err)
	e, is := errors.AsType[*Error](err)
	if is && e.kind == kindDenied {
		e.Remedy = "let an administrator run GRANT SELECT ON " + hostsTable + " for the account of the daemon"
	}
	if is && e.kind == kindSchema {
		e.Remedy = "a hub runs beside DECNET's master, whose database has table " + hostsTable + ": give it that database, or --role solo"
	}
	return pins, err
}

// enrolled says whether a host is.
func (db *DB) enrolled(ctx context.Context, q querier, host string) (is bool, err error) {
	err = db.each(ctx, q, func(*sql.Rows) error { is = true; return nil }, "SELECT 1 FROM "+hostsTable+" WHERE uuid = ?", host)
	return is, err
}
