package database

import (
	"strings"
	"testing"
)

func TestATableOfAnotherShapeIsRefusedBeforeItHurts(t *testing.T) {
	tests := map[string]struct {
		on    string // engines
		alter string
		said  string
	}{
		"state is a number":               {"postgres", "ALTER TABLE fleet_deckies ALTER state TYPE INTEGER USING 0", `column "state" is integer, not text`},
		"a state of numbers":              {"mysql", "ALTER TABLE fleet_deckies MODIFY state INT NOT NULL", `column "state" is int, not text`},
		"config is JSON, which reorders":  {"postgres", "ALTER TABLE fleet_deckies ALTER decky_config TYPE JSONB USING NULL", "another shape"},
		"config is binary":                {"mysql", "ALTER TABLE fleet_deckies MODIFY decky_config MEDIUMBLOB", `column "decky_config" is mediumblob, not text`},
		"the time is a number":            {"postgres mysql", "ALTER TABLE fleet_deckies DROP COLUMN updated_at; ALTER TABLE fleet_deckies ADD COLUMN updated_at BIGINT NULL", `column "updated_at" is bigint, not a time`},
		"services are cut":                {"postgres", "ALTER TABLE fleet_deckies ALTER services TYPE VARCHAR(20)", `column "services" holds 20 characters, not 1024`},
		"names are cut":                   {"mysql", "ALTER TABLE fleet_deckies MODIFY name VARCHAR(8) NOT NULL", `column "name" holds 8 characters, not 64`},
		"a new column must be given":      {"sqlite postgres mysql", "DROP TABLE fleet_deckies; CREATE TABLE fleet_deckies (host_uuid VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, services TEXT NOT NULL, decky_config TEXT, decky_ip VARCHAR(255), state VARCHAR(255) NOT NULL, last_error TEXT, compose_hash VARCHAR(255), last_seen TIMESTAMP NULL, updated_at TIMESTAMP NOT NULL, flavour VARCHAR(9) NOT NULL, PRIMARY KEY (host_uuid, name))", `column "flavour" is required and not known here`},
		"there is no key":                 {"sqlite postgres mysql", "DROP TABLE fleet_deckies; CREATE TABLE fleet_deckies (host_uuid VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, services TEXT NOT NULL, decky_config TEXT, decky_ip VARCHAR(255), state VARCHAR(255) NOT NULL, last_error TEXT, compose_hash VARCHAR(255), last_seen TIMESTAMP NULL, updated_at TIMESTAMP NOT NULL)", "another shape"},
		"operations are of another shape": {"sqlite postgres mysql", "ALTER TABLE decky_lifecycle DROP COLUMN started_at", "another shape"},
	}
	everywhere(t, func(t *testing.T, s site) {
		for name, tt := range tests {
			if !strings.Contains(tt.on, s.name) {
				continue
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, s)
				if err := w.db.Check(t.Context()); err != nil {
					t.Fatal(err)
				}
				for q := range strings.SplitSeq(tt.alter, "; ") {
					mustExec(t, w.other, q)
				}
				wantSchema(t, w.db.Check(t.Context()), tt.said, "another shape")
			})
		}
	})
}

func TestColumnsThatOnlyAddAreNoFault(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		mustExec(t, w.other, "ALTER TABLE fleet_deckies ADD COLUMN flavour VARCHAR(9)")
		mustExec(t, w.other, "ALTER TABLE fleet_deckies ADD COLUMN taste VARCHAR(9) NOT NULL DEFAULT 'x'")
		if err := w.db.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
