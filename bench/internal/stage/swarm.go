package stage

import (
	"context"
	"database/sql"
	"fmt"
	"io"
)

// Enrolled is a row of DECNET's table of hosts.
type Enrolled struct{ UUID, Name, Fingerprint string }

// Enrol writes the rows as DECNET's enrolment does.
func (h *Host) Enrol(ctx context.Context, hosts []Enrolled) error {
	db, err := sql.Open("sqlite", "file:"+h.Path("decnet.db")+"?_pragma=busy_timeout(30000)")
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	defer db.Close() //nolint:errcheck // every statement was its own transaction
	for _, x := range hosts {
		_, err := db.ExecContext(ctx, `INSERT INTO swarm_hosts (uuid, name, address, agent_port, status, client_cert_fingerprint, cert_bundle_path, enrolled_at, use_ipvlan)
			VALUES (?, ?, '', 8765, 'active', ?, '', '2026-01-01 00:00:00.000000', 0)`, x.UUID, x.Name, x.Fingerprint)
		if err != nil {
			return fmt.Errorf("enrol %s: %w", x.Name, err)
		}
	}
	return nil
}

// ServeWith starts the daemon with further flags.
func (h *Host) ServeWith(more ...string) error {
	p, err := h.launch(Program{Log: h.Path("daemon.log"), Path: h.binary, Args: append(append([]string{"serve"}, h.Flags()...), more...)})
	h.Daemon = p
	return err
}

// Role starts the measuring program in another role and gives what it writes.
func (h *Host) Role(args ...string) (io.Reader, error) {
	_, r, err := h.helping(args...)
	return r, err
}
