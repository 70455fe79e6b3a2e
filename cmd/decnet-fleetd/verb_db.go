package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/database"
)

func (a *app) dbVerb() *cobra.Command {
	create := &cobra.Command{
		Use:   "init",
		Short: "Make the daemon's own tables",
		Long: "Make the tables fleetd_* where they are missing; `serve` does it too where its account may. DECNET's own tables are never touched. With\n" +
			"--create-schema table fleet_deckies is made as well, in a database that no DECNET will ever use: DECNET's start-up dies on a table\n" +
			"it did not make.",
		Example:     "  decnet-fleetd db init\n  decnet-fleetd db init --database sqlite:///var/tmp/try.db --create-schema",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withDatabase(c.Context(), "ready", func(ctx context.Context, db *database.DB, s config.Settings) error {
				if err := db.Init(ctx, s.CreateSchema); err != nil {
					return err
				}
				return db.Check(ctx)
			})
		},
	}
	drop := &cobra.Command{
		Use:   "drop",
		Short: "Remove the daemon's own tables",
		Long: "Remove the tables fleetd_*, with what is still to be announced in them. Stop the daemon first. DECNET's own tables stay: after this\n" +
			"the database is as if decnet-fleetd had never been there.",
		Example:     "  systemctl stop decnet-fleetd && decnet-fleetd db drop",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withDatabase(c.Context(), "dropped", func(ctx context.Context, db *database.DB, s config.Settings) error {
				lock, err := lockDir(s.StateDir)
				if errors.Is(err, errLocked) {
					return &failure{exit: exitRefused, code: exitWords[exitRefused], err: err, hint: "stop the daemon first: systemctl stop decnet-fleetd"}
				}
				if err != nil {
					return err
				}
				defer lock.release()
				return db.Drop(ctx)
			})
		},
	}
	return parent("db", "Make or remove the daemon's own tables", "Make or remove the tables fleetd_* that the daemon keeps beside DECNET's.", create, drop)
}

// withDatabase does something with the database of the settings and says what.
func (a *app) withDatabase(ctx context.Context, done string, do func(context.Context, *database.DB, config.Settings) error) error {
	s, _, err := a.settings(false)
	if err != nil {
		return err
	}
	db, err := openDatabase(s, parts{hostUUID: s.HostUUID})
	if err != nil {
		return configFault(err)
	}
	defer func() { _ = db.Close() }() // everything committed is durable already
	if err := do(ctx, db, s); err != nil {
		if sql := database.Statements(err); len(sql) > 0 {
			return configFault(fmt.Errorf("%w; statements for whoever may run them:\n%s;", err, strings.Join(sql, ";\n")))
		}
		if e, ok := errors.AsType[*database.Error](err); ok && !database.Retryable(e) {
			return configFault(err) // as `serve` would end
		}
		return err
	}
	return a.show(listing{
		head: []string{"DATABASE", "TABLES"}, rows: [][]string{{db.Where(), done}}, names: []string{db.Where()},
		doc: map[string]string{"api": "v1", "kind": "database", "database": db.Where(), "tables": done},
	})
}
