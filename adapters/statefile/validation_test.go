package statefile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decode(t testing.TB, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// newTestReader reads a file of the given content; "absent" and "directory" of kind say otherwise.
func newTestReader(t testing.TB, kind string, raw []byte) *Reader {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	switch kind {
	case "absent":
	case "directory":
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	default:
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := NewReader(Config{Path: path, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// object is a JSON object under change.
type object = map[string]any

// validationCase is a case of testdata/state_validation.json: how the file was changed, and what we make of it.
type validationCase struct {
	file func(small string) string // nil: change decides
	// change works on the file, its config and its first decky.
	change func(root, config, decky object)

	status  messages.FileStatus // 0 is FileValid
	where   string              // of the fault, of the only rejected entry, or of the first warning
	entries int                 // that are usable, of 2
	// differs says why the outcome is not DECNET's: there an error of one entry or setting rejects the whole file.
	differs string
}

const (
	entryAlone   = "only the entry is rejected, the others are declared"
	settingAlone = "a setting that only DECNET needs is a warning"
)

func text(s string) func(string) string { return func(string) string { return s } }

func rejects(where string, change func(_, _, d object)) validationCase {
	return validationCase{change: change, where: "config.deckies[0]." + where, entries: 1, differs: entryAlone}
}

func warns(where string, change func(r, c, _ object)) validationCase {
	return validationCase{change: change, where: where, entries: 2, differs: settingAlone}
}

func accepts(change func(r, c, d object)) validationCase {
	return validationCase{change: change, entries: 2}
}

func without(key string) validationCase {
	return rejects(key, func(_, _, d object) { delete(d, key) })
}

func invalid(where string, file func(string) string) validationCase {
	return validationCase{file: file, status: messages.FileInvalid, where: where}
}

func decky(key string, value any) func(_, _, d object) {
	return func(_, _, d object) { d[key] = value }
}

var validationCases = map[string]validationCase{
	"baseline":          accepts(func(_, _, _ object) {}),
	"empty_file":        invalid("", text("")),
	"truncated":         invalid("line 17, column", func(small string) string { return small[:372] }),
	"whitespace":        invalid("", text("  \n")),
	"null":              invalid("config", text("null")),
	"array":             invalid("config", text("[]")),
	"no_config_key":     invalid("config", text(`{"compose_path":"x"}`)),
	"bom":               invalid("line 1, column 1", func(small string) string { return "\ufeff" + small }),
	"no_compose_path":   warns("compose_path", func(r, _, _ object) { delete(r, "compose_path") }),
	"compose_path_null": warns("compose_path", func(r, _, _ object) { r["compose_path"] = nil }),
	"extra_top_level":   accepts(func(r, _, _ object) { r["foo"] = 1 }),
	"extra_in_config":   accepts(func(_, c, _ object) { c["foo"] = 1 }),
	"extra_in_decky": {change: decky("foo", 1), where: "config.deckies[0]", entries: 2,
		differs: "an unknown key is a warning: a newer DECNET may have written it"},
	"deckies_empty":              {change: func(_, c, _ object) { c["deckies"] = []any{} }, status: messages.FileInvalid, where: "config.deckies"},
	"deckies_missing":            {change: func(_, c, _ object) { delete(c, "deckies") }, status: messages.FileInvalid, where: "config.deckies"},
	"mode_unknown":               warns("config.mode", func(_, c, _ object) { c["mode"] = "x" }),
	"mode_missing":               warns("config.mode", func(_, c, _ object) { delete(c, "mode") }),
	"interface_int":              warns("config.interface", func(_, c, _ object) { c["interface"] = 1 }),
	"ipvlan_str_true":            accepts(func(_, c, _ object) { c["ipvlan"] = "true" }),
	"ipvlan_int1":                accepts(func(_, c, _ object) { c["ipvlan"] = 1 }),
	"ipvlan_null":                warns("config.ipvlan", func(_, c, _ object) { c["ipvlan"] = nil }),
	"root_mutate_interval_str":   accepts(func(_, c, _ object) { c["mutate_interval"] = "30" }),
	"root_mutate_interval_float": accepts(func(_, c, _ object) { c["mutate_interval"] = json.RawMessage("30.0") }),
	"root_mutate_interval_30_5":  warns("config.mutate_interval", func(_, c, _ object) { c["mutate_interval"] = 30.5 }),
	"root_mutate_interval_neg":   accepts(func(_, c, _ object) { c["mutate_interval"] = -1 }),
	"root_optional_absent": accepts(func(_, c, _ object) {
		delete(c, "log_file")
		delete(c, "ipvlan")
		delete(c, "mutate_interval")
	}),
	"decky_missing_name":       without("name"),
	"decky_missing_ip":         without("ip"),
	"decky_missing_services":   without("services"),
	"decky_missing_distro":     without("distro"),
	"decky_missing_base_image": without("base_image"),
	"decky_missing_hostname":   without("hostname"),
	"decky_optionals_absent": accepts(func(_, _, d object) {
		for _, k := range []string{"build_base", "archetype", "service_config", "nmap_os", "mutate_interval", "last_mutated", "last_login_attempt", "host_uuid"} {
			delete(d, k)
		}
	}),
	"decky_services_empty":    rejects("services", decky("services", []any{})),
	"decky_services_int":      rejects("services[0]", decky("services", []any{1})),
	"decky_services_str":      rejects("services", decky("services", "ssh")),
	"decky_services_dup":      accepts(decky("services", []any{"ssh", "ssh"})),
	"decky_services_unknown":  accepts(decky("services", []any{"nope"})),
	"decky_services_emptystr": accepts(decky("services", []any{""})),
	"decky_name_int":          rejects("name", decky("name", 1)),
	"decky_name_empty": {change: decky("name", ""), where: "config.deckies[0].name", entries: 1,
		differs: "a name has 1 to 128 bytes"},
	"decky_name_weird": accepts(decky("name", "../we ird.*>é")),
	"decky_name_dup": {change: decky("name", "decky-02"), where: "config.deckies[0].name", entries: 0,
		differs: "twins are refused: which of them counts cannot be told"},
	"decky_ip_garbage":            accepts(decky("ip", "garbage")),
	"decky_ip_dup":                accepts(decky("ip", "192.168.1.11")),
	"decky_mutate_interval_float": rejects("mutate_interval", decky("mutate_interval", json.RawMessage("30.0"))),
	"decky_mutate_interval_str":   rejects("mutate_interval", decky("mutate_interval", "30")),
	"decky_mutate_interval_bool":  rejects("mutate_interval", decky("mutate_interval", true)),
	"decky_mutate_interval_0":     accepts(decky("mutate_interval", 0)),
	"decky_mutate_interval_big":   accepts(decky("mutate_interval", json.RawMessage("1000000000000000000000000000000"))),
	"decky_last_mutated_int":      accepts(decky("last_mutated", 5)),
	"decky_last_mutated_str":      rejects("last_mutated", decky("last_mutated", "5")),
	"decky_last_mutated_null":     rejects("last_mutated", decky("last_mutated", nil)),
	"decky_last_mutated_bool":     rejects("last_mutated", decky("last_mutated", true)),
	"decky_last_mutated_NaN":      {file: func(s string) string { return strings.Replace(s, `"last_mutated": 0.0`, `"last_mutated": NaN`, 1) }, entries: 2},
	"decky_service_config_null":   rejects("service_config", decky("service_config", nil)),
	"decky_service_config_flat":   rejects(`service_config["ssh"]`, decky("service_config", object{"ssh": 1})),
	"decky_service_config_deep":   accepts(decky("service_config", object{"ssh": object{"a": []any{object{"b": 1}}}})),
	"decky_host_uuid_empty":       accepts(decky("host_uuid", "")),
	"decky_host_uuid_int":         rejects("host_uuid", decky("host_uuid", 1)),
	"decky_nmap_os_null":          rejects("nmap_os", decky("nmap_os", nil)),
	"decky_archetype_empty":       accepts(decky("archetype", "")),
	"decky_build_base_null":       rejects("build_base", decky("build_base", nil)),
	"duplicate_json_keys": {file: func(s string) string {
		return strings.Replace(s, `"name": "decky-01"`, `"name": 1, "name": "decky-01"`, 1)
	}, entries: 2},
}

// TestFileIsJudgedAsDECNETJudgesIt replays what DECNET made of 66 changed files.
func TestFileIsJudgedAsDECNETJudgesIt(t *testing.T) {
	var rec struct {
		Rows []struct{ Case, Result string }
	}
	decode(t, testdata(t, "state_validation.json"), &rec)
	small := testdata(t, "state_unihost_small.json")
	for _, row := range rec.Rows {
		t.Run(row.Case, func(t *testing.T) {
			switch row.Case {
			case "absent_file":
				if got := newTestReader(t, "absent", nil).Read(); got.Status != messages.FileMissing {
					t.Errorf("got %v", got)
				}
				return
			case "path_is_directory":
				if got := newTestReader(t, "directory", nil).Read(); got.Status != messages.FileInvalid {
					t.Errorf("got %v", got)
				}
				return
			}
			c, known := validationCases[row.Case]
			if !known {
				t.Fatal("no such case")
			}
			if strict := c.status == 0 && c.where == ""; strict != (row.Result == "ok") && c.differs == "" {
				t.Errorf("DECNET says %s; the difference has no reason", row.Result)
			}
			c.judge(t, newTestReader(t, "", c.content(t, small)).Read())
		})
	}
	if len(rec.Rows) != len(validationCases)+2 {
		t.Errorf("%d recorded, %d tested", len(rec.Rows), len(validationCases)+2)
	}
}

func (c validationCase) content(t *testing.T, small []byte) []byte {
	if c.file != nil {
		return []byte(c.file(string(small)))
	}
	var root object
	decode(t, small, &root)
	config, _ := root["config"].(object)
	deckies, _ := config["deckies"].([]any)
	first, _ := deckies[0].(object)
	c.change(root, config, first)
	raw, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (c validationCase) judge(t *testing.T, got messages.DeclaredRead) {
	t.Helper()
	want := c.status
	if want == 0 {
		want = messages.FileValid
	}
	if got.Status != want || len(got.Entries) != c.entries {
		t.Fatalf("%v with %d entries (%v), want %v with %d; rejected %v", got.Status, len(got.Entries), got.Fault, want, c.entries, got.Rejected)
	}
	var faults []string
	if want == messages.FileInvalid {
		faults = append(faults, got.Fault.Where)
	}
	for _, r := range got.Rejected {
		faults = append(faults, r.Fault.Where)
	}
	for _, w := range got.Warnings {
		faults = append(faults, w.Where)
	}
	if c.where == "" && want == messages.FileValid {
		if len(faults) != 0 {
			t.Errorf("faults %q, want none", faults)
		}
		return
	}
	if len(faults) == 0 || !strings.Contains(faults[0], FileName) || !strings.Contains(faults[0], c.where) {
		t.Errorf("faults %q, want %q", faults, c.where)
	}
}

// TestFilesOfDECNETAreRead: what DECNET itself wrote is valid in all its parts, and ConfigJSON is a fixed point.
func TestFilesOfDECNETAreRead(t *testing.T) {
	for name, deckies := range map[string]int{"state_unihost_small.json": 2, "state_unihost_25.json": 25, "state_swarm.json": 3} {
		raw := testdata(t, name)
		got := newTestReader(t, "", raw).Read()
		if got.Status != messages.FileValid || len(got.Entries) != deckies || len(got.Rejected)+len(got.Warnings) != 0 {
			t.Errorf("%s: %v", name, got)
		}
		var file struct {
			Config struct {
				Deckies []struct {
					Name, IP string
					Services []string
					HostUUID string  `json:"host_uuid"`
					Mutated  float64 `json:"last_mutated"`
				}
			}
		}
		decode(t, raw, &file)
		for i, want := range file.Config.Deckies {
			e := got.Entries[i]
			if e.Name != want.Name || e.IP != want.IP || e.HostUUID != want.HostUUID || e.LastMutated != want.Mutated || !slices.Equal(e.Services, want.Services) {
				t.Errorf("%s: entry %d is %+v, want %+v", name, i, e, want)
			}
			p := newParser("x")
			if again := p.parseEntry([]byte(e.ConfigJSON)); again.declared.ConfigJSON != e.ConfigJSON || again.declared.Digest != e.Digest {
				t.Errorf("%s: %s is rewritten %s", name, e.ConfigJSON, again.declared.ConfigJSON)
			}
		}
	}
}

// TestScenariosBecomeTheRowsDECNETWrote: the files of the recorded scenarios against the rows DECNET inserted.
func TestScenariosBecomeTheRowsDECNETWrote(t *testing.T) {
	var rec struct {
		Scenarios []struct {
			Name   string
			State  json.RawMessage         `json:"state_json"`
			Before []struct{ Name string } `json:"db_before"`
			Ticks  []struct {
				After []struct {
					Name, Services string
					Config         string `json:"decky_config"`
				} `json:"db_after"`
			}
		}
	}
	decode(t, testdata(t, "reconcile_scenarios.json"), &rec)
	statuses := map[string]messages.FileStatus{"json_invalid": messages.FileInvalid, "json_empty_file": messages.FileInvalid}
	compared := 0
	for _, s := range rec.Scenarios {
		raw := []byte(s.State)
		var asText string
		if string(raw) == "null" {
			continue // no file
		}
		if json.Unmarshal(raw, &asText) == nil {
			raw = []byte(asText)
		}
		got := newTestReader(t, "", raw).Read()
		if want := max(statuses[s.Name], messages.FileValid); got.Status != want {
			t.Errorf("%s: %v %v, want %v", s.Name, got.Status, got.Fault, want)
		}
		for _, e := range got.Entries {
			for _, row := range s.Ticks[len(s.Ticks)-1].After {
				isNew := !slices.ContainsFunc(s.Before, func(b struct{ Name string }) bool { return b.Name == row.Name })
				if isNew && row.Name == e.Name {
					compared++
					if row.Config != e.ConfigJSON || row.Services != e.ServicesJSON {
						t.Errorf("%s: DECNET wrote %s\nwe write %s", s.Name, row.Config, e.ConfigJSON)
					}
				}
			}
		}
	}
	if compared < 7 {
		t.Errorf("only %d rows compared", compared)
	}
}
