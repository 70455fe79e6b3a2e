package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"hash/maphash"
	"strconv"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// stateTable is DECNET's table of single values.
const stateTable = "state"

// deniedSum stands for a row that may not be read. No text has it: sums are odd.
const deniedSum = 2

// maxDeployment bounds DECNET's row `deployment`, in characters: as much as a state file may have.
const maxDeployment = 16 << 20

// deployment is what DECNET's row said, and the sum of its text, so that the same text is not read twice. Sum 0: there
// is no row.
type deployment struct {
	sum  uint64
	list []messages.Deployed
	bad  string // why it counts as none, "" where it does not
	mend string // what to do about that
}

// readDeployment reads DECNET's fourth store: the row `deployment` of its table state. It only ever offers a second list
// of services, so no row, null and garbage all mean that there is none; garbage is a fault besides.
func (db *DB) readDeployment(ctx context.Context, q querier) (deployment, error) {
	text, there, err := db.deploymentText(ctx, q)
	if e := db.explain("read the row deployment", err); kindOf(e) == kindDenied {
		return deployment{sum: deniedSum, bad: "may not be read: " + err.Error(), mend: "GRANT SELECT ON " + stateTable + " to the account of the daemon"}, nil
	}
	if err != nil || !there {
		return deployment{}, err
	}
	sum := maphash.String(db.seed, text) | 1
	if was := db.deployed.Load(); was != nil && was.sum == sum {
		return *was, nil
	}
	d := deployment{sum: sum, mend: "DECNET writes it with the next deploy; until then the state file alone says which services there are"}
	d.list, d.bad = parseDeployment(text, db.cfg.HostUUID)
	db.deployed.Store(&d)
	return d, nil
}

// deploymentText reads the row. DECNET makes the table; until then there is no row.
func (db *DB) deploymentText(ctx context.Context, q querier) (text string, there bool, err error) {
	bounded, cancel := db.bounded(ctx)
	defer cancel()
	if there, err = hasTable(bounded, q, db.d, stateTable); err != nil || !there {
		return "", false, err
	}
	err = db.each(ctx, q, func(rows *sql.Rows) error {
		var value sql.NullString
		if err := rows.Scan(&value); err != nil {
			return err
		}
		text, there = value.String, value.Valid
		return nil
	}, "SELECT SUBSTR(state.value, 1, "+strconv.Itoa(maxDeployment+1)+") FROM state WHERE state.key = ?", "deployment")
	return text, there && text != "", err
}

// parseDeployment reads {"config": {"deckies": [...]}, ...}: the entries of this host with a name and a list of services.
func parseDeployment(text, host string) (list []messages.Deployed, bad string) {
	if len(text) > maxDeployment {
		return nil, "is longer than 16 MiB"
	}
	var d *struct {
		Config *struct {
			Deckies []struct {
				Name        string   `json:"name"`
				Services    []string `json:"services"`
				LastMutated float64  `json:"last_mutated"`
				HostUUID    string   `json:"host_uuid"`
			} `json:"deckies"`
		} `json:"config"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, "cannot be read: " + err.Error()
	}
	if d == nil || d.Config == nil {
		return nil, "" // null: nothing is deployed
	}
	twice := map[string]bool{}
	for _, e := range d.Config.Deckies {
		if e.HostUUID != "" && e.HostUUID != host || checkName(e.Name) != "" || len(e.Services) == 0 {
			continue
		}
		list = append(list, messages.Deployed{Name: e.Name, Services: e.Services, LastMutated: e.LastMutated})
		_, again := twice[e.Name]
		twice[e.Name] = again
	}
	out := list[:0]
	for _, e := range list {
		if !twice[e.Name] { // twins: neither can be meant
			out = append(out, e)
		}
	}
	return out, ""
}

// fault tells of a row that is garbage.
func (d deployment) fault(where string) (messages.Fault, bool) {
	if d.bad == "" {
		return messages.Fault{}, false
	}
	return messages.Fault{Where: where + ": state \"deployment\"", What: strings.ToValidUTF8(clip(d.bad, maxWord), "?"),
		Remedy: d.mend}, true
}
