package deckyconfig

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"weak"

	"github.com/decnet/decnet-fleetd/messages"
)

// entry is a valid entry with some members set (or, with value "", left out).
func entry(changes ...string) string {
	members := []string{"name", `"d1"`, "ip", `"10.0.0.10"`, "services", `["ssh"]`, "distro", `"debian"`,
		"base_image", `"debian:12"`, "build_base", `"debian:12"`, "hostname", `"h"`, "archetype", "null",
		"service_config", "{}", "nmap_os", `"linux"`, "mutate_interval", "null", "last_mutated", "0.0",
		"last_login_attempt", "0.0", "host_uuid", "null"}
	for i := 0; i < len(changes); i += 2 {
		at := slices.Index(members, changes[i])
		if at < 0 {
			members = append(members, changes[i], changes[i+1])
			continue
		}
		members[at+1] = changes[i+1]
	}
	var b strings.Builder
	for i := 0; i < len(members); i += 2 {
		if members[i+1] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(`"` + members[i] + `": ` + members[i+1])
	}
	return "{" + b.String() + "}"
}

func parse(t *testing.T, raw string) messages.Declared {
	t.Helper()
	var p Parser
	d, err := p.Parse([]byte(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return d
}

func TestEntryIsJudgedAsDECNETJudgesIt(t *testing.T) {
	long := strings.Repeat("n", 129)
	rows := []struct {
		name, raw    string
		where        string // "" accepted
		what         string
		readableName string
	}{
		{"everything may be there", entry(), "", "", "d1"},
		{"what has a default may be missing", entry("build_base", "", "archetype", "", "service_config", "", "nmap_os", "",
			"mutate_interval", "", "last_mutated", "", "last_login_attempt", "", "host_uuid", ""), "", "", "d1"},
		{"an unknown key is passed over", entry("foo", "1"), "", "", "d1"},
		{"the last of two names counts", entry("x", `1, "name": "d2"`), "", "", "d2"},
		{"a list is no entry", `[]`, "", "is a list, must be an object", ""},
		{"null is no entry", `null`, "", "is null", ""},
		{"half an object is no entry", `{"name":"d1"`, "", "is not JSON", ""},
		{"a name is required", entry("name", ""), "name", "is missing", ""},
		{"a name is a string", entry("name", "5"), "name", "is an integer, must be a string", ""},
		{"a name that is empty names nothing", entry("name", `""`), "name", "is empty", ""},
		{"a name of half a surrogate pair cannot be read", entry("name", `"a\ud800"`), "name", "surrogate", ""},
		{"a name of 129 bytes identifies its entry", entry("name", `"`+long+`"`), "name", "129 bytes", long},
		{"a name with a line feed identifies its entry", entry("name", `"a\nb"`), "name", "control", "a\nb"},
		{"a name with a delete character identifies its entry", entry("name", `"a\u007f"`), "name", "control", "a\u007f"},
		{"a name may be anything else", entry("name", `"../../x *> é.%"`), "", "", "../../x *> é.%"},
		{"an address is required", entry("ip", ""), "ip", "is missing", "d1"},
		{"an address may be any text", entry("ip", `"not an address"`), "", "", "d1"},
		{"an address fits its column", entry("ip", `"`+strings.Repeat("1", 256)+`"`), "ip", "255", "d1"},
		{"an address has no NUL, which PostgreSQL refuses", entry("ip", `"1\u0000"`), "ip", "control", "d1"},
		{"services are required", entry("services", ""), "services", "is missing", "d1"},
		{"services are a list", entry("services", `"ssh"`), "services", "is a string, must be a list", "d1"},
		{"services are not empty", entry("services", `[]`), "services", "is empty", "d1"},
		{"services are strings", entry("services", `["ssh",1]`), "services[1]", "is an integer", "d1"},
		{"services may repeat, be unknown and empty", entry("services", `["a","a","","?"]`), "", "", "d1"},
		{"half a surrogate pair cannot be stored", entry("services", `["\udc00"]`), "services", "surrogate", "d1"},
		{"not in a key of a setting either", entry("service_config", `{"a":{"\ud800":1}}`), "service_config", "surrogate", "d1"},
		{"in what is not stored it does not matter", entry("foo", `"\ud800"`), "", "", "d1"},
		{"distro is required", entry("distro", ""), "distro", "is missing", "d1"},
		{"base_image is required", entry("base_image", ""), "base_image", "is missing", "d1"},
		{"hostname is required", entry("hostname", ""), "hostname", "is missing", "d1"},
		{"build_base is not null", entry("build_base", "null"), "build_base", "is null", "d1"},
		{"nmap_os is not null", entry("nmap_os", "null"), "nmap_os", "is null, must be a string", "d1"},
		{"archetype may be empty", entry("archetype", `""`), "", "", "d1"},
		{"archetype is no number", entry("archetype", `1`), "archetype", "must be a string or null", "d1"},
		{"host_uuid may be empty", entry("host_uuid", `""`), "", "", "d1"},
		{"host_uuid is no number", entry("host_uuid", `1`), "host_uuid", "must be a string or null", "d1"},
		{"service_config is not null", entry("service_config", "null"), "service_config", "is null", "d1"},
		{"service_config holds objects", entry("service_config", `{"ssh":1}`), `service_config["ssh"]`, "must be an object", "d1"},
		{"service_config may be deep", entry("service_config", `{"ssh":{"a":[{"b":[[1]]}]}}`), "", "", "d1"},
		{"an integer Python cannot read is refused", entry("service_config", `{"a":{"b":[`+strings.Repeat("1", 4301)+`]}}`),
			"service_config", "4300 digits", "d1"},
		{"mutate_interval may be negative", entry("mutate_interval", "-1"), "", "", "d1"},
		{"mutate_interval may be huge", entry("mutate_interval", strings.Repeat("9", 50)), "", "", "d1"},
		{"mutate_interval is not 30.0", entry("mutate_interval", "30.0"), "mutate_interval", "fraction", "d1"},
		{"mutate_interval is no text", entry("mutate_interval", `"30"`), "mutate_interval", "is a string", "d1"},
		{"mutate_interval is not true", entry("mutate_interval", `true`), "mutate_interval", "is a boolean", "d1"},
		{"last_mutated may be an integer", entry("last_mutated", "5"), "", "", "d1"},
		{"last_mutated may be NaN", entry("last_mutated", "NaN"), "", "", "d1"},
		{"last_mutated is an integer that a float can hold", entry("last_mutated", strings.Repeat("9", 400)), "last_mutated", "must be a number", "d1"},
		{"last_mutated is no text", entry("last_mutated", `"5"`), "last_mutated", "is a string", "d1"},
		{"last_mutated is not null", entry("last_mutated", `null`), "last_mutated", "is null", "d1"},
		{"last_login_attempt is not true", entry("last_login_attempt", `true`), "last_login_attempt", "is a boolean", "d1"},
		{"an outsized entry is not read", entry("foo", `"`+strings.Repeat("x", MaxEntry)+`"`), "", "bytes, more than", ""},
	}
	var p Parser
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d, err := p.Parse([]byte(row.raw))
			if d.Name != row.readableName {
				t.Errorf("name %q, want %q", d.Name, row.readableName)
			}
			var f messages.Fault
			if !errors.As(err, &f) {
				if row.what != "" {
					t.Errorf("accepted (%v), want …%s…", err, row.what)
				}
				return
			}
			if row.what == "" || f.Where != row.where || !strings.Contains(f.What, row.what) {
				t.Errorf("refused: %v; want %q …%s…", f, row.where, row.what)
			}
		})
	}
}

func TestDeclaredHasWhatTheEntrySays(t *testing.T) {
	d := parse(t, entry("name", `"d\u00e9"`, "ip", `"10.\u0030.0.1"`, "services", `["ssh","a\"b","\u00e9","ssh"]`,
		"host_uuid", `"w-1"`, "last_mutated", "1777252484.1234567", "zz", "1", "b", "{}"))
	want := messages.Declared{Name: "dé", HostUUID: "w-1", IP: "10.0.0.1", Services: []string{"ssh", `a"b`, "é", "ssh"},
		ServicesJSON: `["ssh","a\"b","é","ssh"]`, LastMutated: 1777252484.1234567, UnknownKeys: []string{"zz", "b"}}
	if d.Name != want.Name || d.HostUUID != want.HostUUID || d.IP != want.IP || !slices.Equal(d.Services, want.Services) ||
		d.ServicesJSON != want.ServicesJSON || d.LastMutated != want.LastMutated || !slices.Equal(d.UnknownKeys, want.UnknownKeys) {
		t.Errorf("got %+v\nwant %+v", d, want)
	}
	if strings.Contains(d.ConfigJSON, "zz") {
		t.Errorf("the unknown key is written: %s", d.ConfigJSON)
	}
}

func TestParserKeepsNothingOfTheEntry(t *testing.T) {
	var p Parser
	file := make([]byte, 1<<16)
	raw := file[:copy(file, entry())]
	gone := weak.Make(&file[0])
	d, err := p.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	if gone.Value() != nil {
		t.Error("the parser or the result holds on to the file")
	}
	runtime.KeepAlive(&p)
	runtime.KeepAlive(d)
}

func TestTimeThatIsNoNumberIsNone(t *testing.T) {
	for _, s := range []string{"NaN", "Infinity", "1e400"} {
		d := parse(t, entry("last_mutated", s))
		if d.LastMutated != 0 || !strings.Contains(d.ConfigJSON, `"last_mutated":null`) {
			t.Errorf("%s: %v in %s", s, d.LastMutated, d.ConfigJSON)
		}
	}
	if d := parse(t, entry("last_mutated", "")); math.IsNaN(d.LastMutated) {
		t.Error("a missing last_mutated is NaN")
	}
}

func TestManyUnknownKeysAreNamedInPart(t *testing.T) {
	var more []string
	for i := range 40 {
		more = append(more, strings.Repeat("é", 40)+strconv.Itoa(i), "1")
	}
	d := parse(t, entry(more...))
	if len(d.UnknownKeys) != maxUnknown+1 || d.UnknownKeys[maxUnknown] != "(and 24 more)" {
		t.Errorf("%d keys, last %q", len(d.UnknownKeys), d.UnknownKeys[len(d.UnknownKeys)-1])
	}
	if want := strings.Repeat("é", 32) + "…"; d.UnknownKeys[0] != want {
		t.Errorf("%q is not cut to %q", d.UnknownKeys[0], want)
	}
}

func TestColumnsAreWrittenAsDECNETWritesThem(t *testing.T) {
	rows := []struct{ name, key, value, want string }{
		{"floats keep their fraction", "last_mutated", "5", `"last_mutated":5.0,`},
		{"negative zero of an integer goes", "last_mutated", "-0", `"last_mutated":0.0,`},
		{"negative zero of a float stays", "last_mutated", "-0.0", `"last_mutated":-0.0,`},
		{"exponents have no plus sign", "last_login_attempt", "1E+30", `"last_login_attempt":1e30,`},
		{"integers stay as they are", "mutate_interval", "99999999999999999999999", `"mutate_interval":99999999999999999999999,`},
		{"keys keep their order, the last value counts", "service_config", `{"b":{"z":1,"a":2,"z":3},"a":{}}`,
			`"service_config":{"b":{"z":3,"a":2},"a":{}},`},
		{"text is raw but for what must be escaped", "hostname", `"\u00e9<&>\/\u007f\u001f\n\"\\"`,
			`"hostname":"é<&>/` + "\x7f" + `\u001f\n\"\\",`},
		{"numbers that are none become null", "service_config", `{"a":{"x":NaN,"y":-Infinity,"z":1e999}}`,
			`"service_config":{"a":{"x":null,"y":null,"z":null}},`},
		{"a missing archetype is null", "archetype", "", `"archetype":null,`},
		{"a missing service_config is empty", "service_config", "", `"service_config":{},`},
		{"a missing nmap_os is linux", "nmap_os", "", `"nmap_os":"linux",`},
		{"a missing build_base is the pinned image", "build_base", "", `"build_base":"debian:bookworm-slim@sha256:f9c6a2fd`},
		{"an empty host stays empty", "host_uuid", `""`, `"host_uuid":""}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if d := parse(t, entry(row.key, row.value)); !strings.Contains(d.ConfigJSON, row.want) {
				t.Errorf("%s\nis not in %s", row.want, d.ConfigJSON)
			}
		})
	}
}

// column is one recorded row of fleet_deckies.
type column struct {
	Name     string  `json:"name"` // decky_name in decky_shards, where it is not read
	Services string  `json:"services"`
	Config   *string `json:"decky_config"`
	IP       string  `json:"decky_ip"`
}

func load(t testing.TB, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func TestRecordedRowsAreRewrittenByteForByte(t *testing.T) {
	var rec struct {
		Inserted []column `json:"after_insert"`
		Shards   []column `json:"decky_shards"`
	}
	load(t, "db_rows_sqlite.json", &rec)
	for _, row := range slices.Concat(rec.Inserted, rec.Shards) {
		d := parse(t, *row.Config)
		if d.ConfigJSON != *row.Config || d.ServicesJSON != row.Services || d.IP != row.IP || row.Name != "" && d.Name != row.Name {
			t.Errorf("%s\nis rewritten\n%s", *row.Config, d.ConfigJSON)
		}
	}
}

// TestEntriesBecomeTheRowsDECNETWrote: every entry of a recorded scenario that DECNET inserted, against its row.
func TestEntriesBecomeTheRowsDECNETWrote(t *testing.T) {
	var rec struct {
		Scenarios []struct {
			Name  string
			State json.RawMessage `json:"state_json"`
			Ticks []struct {
				After []column `json:"db_after"`
			}
		}
	}
	load(t, "reconcile_scenarios.json", &rec)
	compared := 0
	for _, s := range rec.Scenarios {
		var file struct {
			Config struct{ Deckies []json.RawMessage }
		}
		if json.Unmarshal(s.State, &file) != nil {
			continue // recorded as text: it is not valid
		}
		var p Parser
		for _, tick := range s.Ticks {
			for _, row := range tick.After {
				for _, raw := range file.Config.Deckies {
					d, err := p.Parse(raw)
					if err != nil {
						t.Errorf("%s: %v", s.Name, err)
					}
					if d.Name != row.Name || row.Config == nil || d.Digest != digest(t, *row.Config) || d.ServicesJSON != row.Services {
						continue // a row from before, or one of two entries of that name
					}
					compared++
					if d.ConfigJSON != *row.Config || d.IP != row.IP {
						t.Errorf("%s: %s\nbecomes %s", s.Name, *row.Config, d.ConfigJSON)
					}
				}
			}
		}
	}
	if compared < 25 {
		t.Errorf("only %d rows compared", compared)
	}
}

// FuzzParse: no entry makes it panic, and what is accepted is a fixed point: read again it is the same in all.
func FuzzParse(f *testing.F) {
	f.Add([]byte(entry()))
	f.Add([]byte(entry("service_config", `{"a":{"b":[1.5e300,NaN,"\ud83d\udc7b"],"b":-0}}`, "foo", "[]")))
	f.Add([]byte(entry("services", `["\u0000","\"",""]`, "name", `"\u00e9"`)))
	f.Add([]byte(`{"name":"x","services":["\ud800"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p Parser
		d, err := p.Parse(raw)
		if err != nil {
			var fault messages.Fault
			if !errors.As(err, &fault) || fault.What == "" {
				t.Fatalf("error that says nothing: %v", err)
			}
			return
		}
		again, err := p.Parse([]byte(d.ConfigJSON))
		// NaN is written as null, which is no valid time; DECNET's own rows have the same flaw.
		if err != nil && !strings.Contains(d.ConfigJSON, `":null`) {
			t.Fatalf("%s cannot be read again: %v", d.ConfigJSON, err)
		}
		if err == nil && (again.ConfigJSON != d.ConfigJSON || again.ServicesJSON != d.ServicesJSON || again.Digest != d.Digest) {
			t.Fatalf("%s becomes %s", d.ConfigJSON, again.ConfigJSON)
		}
		if got, err := Digest(d.ConfigJSON); err != nil || got != d.Digest {
			t.Fatalf("digest %s of the entry, %s (%v) of its row", d.Digest, got, err)
		}
		if list, err := json.Marshal(d.Services); err != nil || !sameJSON(list, d.ServicesJSON) {
			t.Fatalf("services %q in %s", d.Services, d.ServicesJSON)
		}
	})
}

func sameJSON(a []byte, b string) bool {
	var x, y []string
	return json.Unmarshal(a, &x) == nil && json.Unmarshal([]byte(b), &y) == nil && slices.Equal(x, y)
}

func digest(t testing.TB, config string) string {
	t.Helper()
	d, err := Digest(config)
	if err != nil {
		t.Fatalf("%s: %v", config, err)
	}
	return d
}
