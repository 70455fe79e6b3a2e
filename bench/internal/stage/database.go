package stage

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"fmt"

	_ "modernc.org/sqlite" // registers the driver
)

// schema is what DECNET's migrations make.
//
//go:embed schema.json
var schema []byte

// createDatabase makes the file with DECNET's own schema and connection settings.
func createDatabase(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(30000)&_pragma=journal_mode(wal)&_pragma=synchronous(1)")
	if err != nil {
		return fmt.Errorf("create %q: %w", path, err)
	}
	defer db.Close() //nolint:errcheck // every statement was its own transaction
	var tables map[string][]string
	if err := json.Unmarshal(schema, &tables); err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	for _, statements := range tables {
		for _, s := range statements {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("create %q: %w", path, err)
			}
		}
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO alembic_version VALUES ('4a914b1d62a0')"); err != nil {
		return fmt.Errorf("create %q: %w", path, err)
	}
	return nil
}
