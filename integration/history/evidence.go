// Package history judges what a run left behind. It believes nobody: what a subscriber received, what the database
// committed, what the product counts, what the table shows and what the containers say must tell one story. The tests that
// crash the product and the endurance run ask the same judge.
package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Arrival is an event as a subscriber wrote it down, in the order of its arrival.
type Arrival struct {
	At      int64 // nanoseconds since the epoch
	Topic   string
	Payload json.RawMessage
}

// Committed is a transition as the database had it, in the order of the commits.
type Committed struct {
	EventID, Name, Topic, Payload string
	Rev                           int64
}

// Evidence is everything that is known when all has come to rest.
type Evidence struct {
	Host    string            // the host's uuid
	Arrived []Arrival         // state events only
	Ledger  []Committed       // every transition that was ever committed
	Revs    map[string]int64  // the product's own count, by decky
	LastIDs map[string]string // and the id of the last event
	Rows    map[string]string // state of each row of this host
	Truth   map[string]string // what the containers say, by decky; "" is one that must have no row
	// Others holds every row of another host, by host and name, whole: as it was put there, and as it is at the end.
	Others, OthersNow map[string]string
}

// Counts is what a history amounts to. Distinct counts event ids, Lost committed transitions that never arrived.
type Counts struct{ Committed, Received, Distinct, Duplicates, Lost int64 }

// Payload has the keys of an event that the judge reads.
type Payload struct {
	HostUUID      string `json:"host_uuid"`
	Name          string `json:"name"`
	State         string `json:"state"`
	Transition    string `json:"transition"`
	Source        string `json:"source"`
	PreviousState string `json:"previous_state"`
	Rev           int64  `json:"rev"`
	EventID       string `json:"event_id"`
}

// Kind is the transition and the state it led to, of a payload.
func Kind(content string) string {
	var p Payload
	if json.Unmarshal([]byte(content), &p) != nil {
		return "undecodable"
	}
	return p.Transition + " " + p.State
}

// maxLine is the longest line of a record. Source: a frame of the bus is at most 1 MiB, quoted at most three times that.
const maxLine = 4 << 20

// ReadRecord reads the state events out of a subscriber's record: one JSON object a line with at, topic and event, the
// event being DECNET's envelope. Events that are of type state on another topic come along, for the judge to refuse.
func ReadRecord(r io.Reader) ([]Arrival, error) {
	var all []Arrival
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var e struct {
			At    int64
			Topic string
			Event struct {
				Type    string
				Payload json.RawMessage
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read a record: %w: %.200s", err, lines.Bytes())
		}
		if isState(e.Topic) || e.Event.Type == "state" {
			all = append(all, Arrival{At: e.At, Topic: e.Topic, Payload: e.Event.Payload})
		}
	}
	return all, lines.Err()
}

func isState(topic string) bool {
	return strings.HasPrefix(topic, "decky.") && strings.HasSuffix(topic, ".state")
}

// LedgerTable is where KeepLedger makes the database write.
const LedgerTable = "history_ledger"

// KeepLedger gives the statements that make a database itself write down every transition, in the transaction that
// commits it: the outbox forgets what was acknowledged. The product's tables must be there. engine is sqlite, postgres or
// mariadb.
func KeepLedger(engine string) []string {
	const insert = "INSERT INTO " + LedgerTable + " (event_id, name, rev, topic, payload) VALUES (NEW.event_id, NEW.name, NEW.rev, NEW.topic, NEW.payload);"
	table := func(id, text string) string {
		return fmt.Sprintf("CREATE TABLE %s (id %s, event_id %[3]s, name %[3]s, rev BIGINT, topic %[3]s, payload %[3]s)", LedgerTable, id, text)
	}
	const trigger = "CREATE TRIGGER history_keeps AFTER INSERT ON fleetd_outbox "
	switch engine {
	case "postgres":
		return []string{
			table("BIGSERIAL PRIMARY KEY", "TEXT"),
			"CREATE FUNCTION history_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + insert + " RETURN NULL; END $$",
			trigger + "FOR EACH ROW EXECUTE FUNCTION history_keep()",
		}
	case "mariadb":
		return []string{table("BIGINT AUTO_INCREMENT PRIMARY KEY", "TEXT"), trigger + "FOR EACH ROW " + strings.TrimSuffix(insert, ";")}
	}
	return []string{table("INTEGER PRIMARY KEY AUTOINCREMENT", "TEXT"), trigger + "BEGIN " + insert + " END"}
}

// LedgerQuery reads what KeepLedger wrote: event_id, name, rev, topic, payload in the order of the commits.
const LedgerQuery = "SELECT event_id, name, rev, topic, payload FROM " + LedgerTable + " ORDER BY id"
