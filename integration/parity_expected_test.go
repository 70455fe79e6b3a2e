package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// expected is what one pass must end in.
type expected struct {
	exit   int
	counts counts
	rows   []recordedRow
	events []recordedTopic
}

// expectation is what the reference did, but for the differences that docs/PARITY.md lists.
func expectation(sc scenario, pass int, recorded tick) expected {
	e := expected{rows: recorded.After, events: recorded.Events}
	if recorded.Counts != nil {
		e.counts = *recorded.Counts
	}
	if differ, is := differences[sc.Name]; is {
		return differ(sc, pass, e)
	}
	return e
}

// differences holds the scenarios that end otherwise on purpose.
var differences = map[string]func(sc scenario, pass int, reference expected) expected{
	"insert_docker_down":                  pendingInstead,
	"delete_no_json":                      nothing,
	"delete_docker_down":                  nothing,
	"foreign_host_uuid_reinsert":          nothing,
	"foreign_row_clobbered":               nothing,
	"foreign_json_vs_local_row_same_name": ourRowGoes,
	"services_drift":                      corrected(`["http"]`, "10.0.0.99"),
	"singleton_sniffer":                   corrected(`["ssh","sniffer"]`, "10.0.0.10"),
	"smtp_relay_as_deployed":              nothing,
	"json_extra_field":                    nothing,
	"json_invalid":                        refusedFile,
	"json_empty_file":                     refusedFile,
	"dup_names":                           nothing,
	"dotted_name_with_bus":                dotted,
	"inspect_500":                         believedFailed,
	"inspect_404":                         nothing,
}

func nothing(sc scenario, _ int, _ expected) expected { return expected{rows: sc.Before} }

func refusedFile(sc scenario, _ int, _ expected) expected { return expected{rows: sc.Before, exit: 1} }

func pendingInstead(_ scenario, _ int, e expected) expected {
	e.rows[0].State = "pending"
	e.events = []recordedTopic{stateEvent("local", "d1", "pending", "inserted", "")}
	return e
}

func ourRowGoes(_ scenario, _ int, _ expected) expected {
	return expected{counts: counts{Deleted: 1}, events: []recordedTopic{stateEvent("local", "d1", "torn_down", "deleted", "")}}
}

func believedFailed(sc scenario, _ int, _ expected) expected {
	row := sc.Before[0]
	at := now
	row.State, row.LastSeen, row.UpdatedAt = "failed", &at, now
	return expected{counts: counts{StateUpdated: 1}, rows: []recordedRow{row},
		events: []recordedTopic{stateEvent("local", "d1", "failed", "state_changed", "running")}}
}

// corrected is a row whose services, address and configuration are made those of the file; its state stays.
func corrected(services, ip string) func(scenario, int, expected) expected {
	return func(sc scenario, pass int, _ expected) expected {
		row := sc.Before[0]
		config := canonical(sc)
		row.Services, row.IP, row.Config, row.UpdatedAt = services, &ip, &config, now
		e := expected{rows: []recordedRow{row}}
		if pass == 0 {
			e.events = []recordedTopic{stateEvent("local", "d1", "running", "config_changed", "")}
		}
		return e
	}
}

// canonical is the first entry of the file as DECNET writes it into decky_config.
func canonical(sc scenario) string {
	var file struct {
		Config struct{ Deckies []json.RawMessage }
	}
	if err := json.Unmarshal(sc.StateJSON, &file); err != nil {
		return err.Error()
	}
	return compact(file.Config.Deckies[0])
}

func dotted(sc scenario, pass int, e expected) expected {
	both := sc.Ticks[1].After
	for i := range both {
		both[i].UpdatedAt = now
	}
	if pass > 0 {
		return expected{rows: both}
	}
	first := stateEvent("local", "a.b", "running", "inserted", "")
	first.Topic = "decky.local:a%2Eb.state"
	return expected{counts: counts{Inserted: 2}, rows: both,
		events: []recordedTopic{first, stateEvent("local", "d2", "running", "inserted", "")}}
}

func stateEvent(host, name, state, transition, previous string) recordedTopic {
	p := fmt.Sprintf(`{"host_uuid":%q,"name":%q,"state":%q,"transition":%q,"source":"fleet"`, host, name, state, transition)
	if previous != "" {
		p += fmt.Sprintf(`,"previous_state":%q`, previous)
	}
	return recordedTopic{Topic: "decky." + host + ":" + strings.ReplaceAll(name, ".", "%2E") + ".state", Payload: json.RawMessage(p + "}")}
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return err.Error()
	}
	return b.String()
}
