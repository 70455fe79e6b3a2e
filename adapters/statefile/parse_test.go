package statefile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// fleet is a file that declares the given entries.
func fleet(entries ...string) []byte {
	return []byte(`{"config": {"mode": "unihost", "interface": "eth0", "subnet": "10.0.0.0/8", "gateway": "10.0.0.1",
  "deckies": [` + strings.Join(entries, ",\n    ") + `]}, "compose_path": "x"}`)
}

// named is a valid entry whose name is the given JSON.
func named(name string) string {
	return `{"name": ` + name + `, "ip": "10.0.0.2", "services": ["ssh"], "distro": "d", "base_image": "b", "hostname": "h"}`
}

// many is a file of n deckies as DECNET writes it, with the services of the first one given.
func many(n int, firstService string) []byte {
	var b strings.Builder
	b.WriteString(`{
  "config": {
    "mode": "unihost",
    "interface": "eth0",
    "subnet": "10.0.0.0/8",
    "gateway": "10.0.0.1",
    "deckies": [`)
	for i := range n {
		service := "ssh"
		if i == 0 {
			service = firstService
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `
      {
        "name": "decky-%05d",
        "ip": "10.%d.%d.10",
        "services": [
          %q,
          "http",
          "docker_api"
        ],
        "distro": "debian",
        "base_image": "debian:bookworm-slim",
        "build_base": "debian:bookworm-slim@sha256:f9c6a2fd2ddbc23e336b6257a5245e31f996953ef06cd13a59fa0a1df2d5c252",
        "hostname": "SRV-%d",
        "archetype": null,
        "service_config": {},
        "nmap_os": "linux",
        "mutate_interval": 30,
        "last_mutated": 1777252484.1234567,
        "last_login_attempt": 0.0,
        "host_uuid": null
      }`, i, i/256, i%256, service, i)
	}
	b.WriteString("\n    ]\n  },\n  \"compose_path\": \"decnet-compose.yml\"\n}")
	return []byte(b.String())
}

func names(c *content) []string {
	out := []string{}
	for _, e := range c.entries {
		out = append(out, e.Name)
	}
	return out
}

func rejected(c *content) []string {
	out := []string{}
	for _, r := range c.rejected {
		out = append(out, fmt.Sprintf("%d %q", r.Index, r.Name))
	}
	return out
}

func TestBadEntriesLeaveTheOthersAlone(t *testing.T) {
	rows := []struct {
		name     string
		entries  []string
		want     []string
		rejected []string
	}{
		{"all are good", []string{named(`"a"`), named(`"b"`)}, []string{"a", "b"}, []string{}},
		{"twins are both rejected", []string{named(`"a"`), named(`"b"`), named(`"a"`)}, []string{"b"}, []string{`0 "a"`, `2 "a"`}},
		{"so are triplets", []string{named(`"a"`), named(`"a"`), named(`"a"`)}, []string{}, []string{`0 "a"`, `1 "a"`, `2 "a"`}},
		{"a good entry is the twin of a bad one", []string{named(`"a"`), `{"name": "a"}`}, []string{}, []string{`0 "a"`, `1 "a"`}},
		{"an escape hides no twin", []string{named(`"a"`), named(`"\u0061"`)}, []string{}, []string{`0 "a"`, `1 "a"`}},
		{"case makes no twin", []string{named(`"a"`), named(`"A"`)}, []string{"a", "A"}, []string{}},
		{"what only looks alike is no twin", []string{named(`"a"`), named(`"а"`)}, []string{"a", "а"}, []string{}},
		{"composed and decomposed letters are no twins", []string{named(`"\u00e9"`), named(`"e\u0301"`)}, []string{"\u00e9", "e\u0301"}, []string{}},
		{"unreadable names are not twins of each other", []string{named(`1`), named(`""`), `{}`, `7`, named(`"a"`)}, []string{"a"},
			[]string{`0 ""`, `1 ""`, `2 ""`, `3 ""`}},
		{"an illegal name identifies its entry", []string{named(`"a\nb"`)}, []string{}, []string{`0 "a\nb"`}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newParser("/f").parse(fleet(row.entries...))
			if !c.valid || !slices.Equal(names(c), row.want) || !slices.Equal(rejected(c), row.rejected) {
				t.Errorf("entries %q, rejected %q, %v; want %q, %q", names(c), rejected(c), c.fault, row.want, row.rejected)
			}
		})
	}
}

func TestInvalidFileSaysWhereAndWhatToDo(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	rows := []struct{ name, file, want string }{
		{"cut off", `{"config": {"mode"`, "/f: line 1, column 19: the text ends too early"},
		{"not UTF-8", "{\n\"\xff\"", "/f: line 2, column 2: a byte that is not UTF-8"},
		{"NUL", "{\"a\x00\"}", "/f: line 1, column 4: a control character (0x00)"},
		{"NUL outside of a string", "\x00", "/f: line 1, column 1: expected a value"},
		{"a byte order mark", "\xef\xbb\xbf{}", "/f: line 1, column 1: a byte order mark"},
		{"too deep", `{"x":` + deep, "/f: line 1, column 69: nesting deeper than 64"},
		{"something after the end", `{} x`, "/f: line 1, column 4: more text after the end"},
		{"config is missing", `{}`, "/f: config: is missing, must be an object"},
		{"config is a list", `{"config":[]}`, "/f: config: is a list, must be an object"},
		{"the last config counts", `{"config":{"deckies":[{}]},"config":5}`, "/f: config: is an integer"},
		{"deckies is an object", `{"config":{"deckies":{}}}`, "/f: config.deckies: is an object, must be a list"},
		{"deckies is null", `{"config":{"deckies":null}}`, "/f: config.deckies: is null"},
		{"the last deckies counts", `{"config":{"deckies":[{}],"deckies":[]}}`, "/f: config.deckies: is empty"},
		{"the later config begins anew", `{"config":{"deckies":[{}]},"config":{}}`, "/f: config.deckies: is missing"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := newParser("/f").parse([]byte(row.file))
			if c.valid || !strings.HasPrefix(c.fault.Error(), row.want) {
				t.Errorf("valid %v: %v; want %s", c.valid, c.fault, row.want)
			}
			if c.fault.Remedy == "" {
				t.Error("it has no remedy")
			}
		})
	}
}

func TestEntriesBeyondTheLimitMakeTheFileInvalid(t *testing.T) {
	file := func(n int) []byte { return fleet(strings.Repeat("0,", n-1) + "0") }
	if c := newParser("/f").parse(file(MaxEntries)); !c.valid || len(c.rejected) != MaxEntries {
		t.Errorf("%d entries: %v", MaxEntries, c.fault)
	}
	if c := newParser("/f").parse(file(1_000_000)); c.valid || !strings.Contains(c.fault.What, "1000000 entries") {
		t.Errorf("a million entries: %v", c.fault)
	}
}

func TestManyUnknownKeysWarnABoundedNumberOfTimes(t *testing.T) {
	var entries []string
	for i := range 500 {
		entries = append(entries, strings.Replace(named(fmt.Sprintf(`"d%d"`, i)), `"distro"`, `"new\u001b": 1, "distro"`, 1))
	}
	c := newParser("/f").parse(fleet(entries...))
	if len(c.entries) != 500 || len(c.warnings) != maxWarnings+1 {
		t.Fatalf("%d entries, %d warnings", len(c.entries), len(c.warnings))
	}
	if got := c.warnings[0].Error(); !strings.HasPrefix(got, `/f: config.deckies[0]: has keys that DECNET does not know: "new\x1b"`) {
		t.Error(got)
	}
}

func TestUnchangedEntriesAreTakenFromMemory(t *testing.T) {
	p := newParser("/f")
	before := p.parse(fleet(named(`"a"`), named(`"b"`), named(`"bad\n"`)))
	p.parse([]byte(`{`)) // an invalid file in between forgets nothing
	after := p.parse(fleet(named(`"bad\n"`), named(`"b"`), strings.Replace(named(`"a"`), "ssh", "ftp", 1)))
	if !slices.Equal(names(after), []string{"b", "a"}) || after.entries[1].Services[0] != "ftp" {
		t.Errorf("%+v", after.entries)
	}
	if &before.entries[1].Services[0] != &after.entries[0].Services[0] {
		t.Error("b was parsed again")
	}
	if got := after.rejected[0].Fault.Where; got != "/f: config.deckies[0].name" {
		t.Errorf("the fault of an entry that moved is at %s", got)
	}
	if got := before.rejected[0].Fault.Where; got != "/f: config.deckies[2].name" {
		t.Errorf("a reading that was given away changed: %s", got)
	}
}

func TestReadingKeepsNothingOfTheText(t *testing.T) {
	raw := fleet(named(`"a"`))
	c := newParser("/f").parse(raw)
	for i := range raw {
		raw[i] = 'x'
	}
	if e := c.entries[0]; e.Name != "a" || e.IP != "10.0.0.2" || e.Services[0] != "ssh" {
		t.Errorf("%+v", e)
	}
}

// FuzzParse: no file makes it panic; every entry is either declared or rejected; no name is both, none twice; and
// what is declared fits the table.
func FuzzParse(f *testing.F) {
	f.Add(fleet(named(`"a"`), named(`"\u0061"`), `{"name":"b"}`, "1"))
	f.Add([]byte(`{"config":{"deckies":[{"name":NaN}],"mode":[]},"config":{"deckies":[0]}}`))
	f.Add(testdata(f, "state_swarm.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p := newParser("/f")
		c := p.parse(text)
		if !c.valid {
			if c.fault.Where == "" || c.fault.What == "" || len(c.entries)+len(c.rejected) > 0 {
				t.Fatalf("%+v", c)
			}
			return
		}
		seen := map[string]bool{}
		for _, r := range c.rejected {
			seen[r.Name] = true
		}
		for _, e := range c.entries {
			if seen[e.Name] || e.Name == "" || len(e.Services) == 0 || !json.Valid([]byte(e.ConfigJSON)) {
				t.Fatalf("%+v", e)
			}
			seen[e.Name] = true
		}
		again := p.parse(text)
		if len(c.entries)+len(c.rejected) != len(p.outcomes) || !slices.Equal(names(again), names(c)) || !slices.Equal(rejected(again), rejected(c)) {
			t.Fatal("the second look differs")
		}
	})
}

func benchmarkParse(b *testing.B, parse func(p *parser, even bool) *content) {
	p := newParser("/f")
	if c := parse(p, true); len(c.entries) != 10_000 {
		b.Fatal(c.fault)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		parse(p, n%2 == 1)
	}
}

// BenchmarkParse10000New: nothing is in memory. Target 150 ms.
func BenchmarkParse10000New(b *testing.B) {
	file := many(10_000, "ssh")
	benchmarkParse(b, func(p *parser, _ bool) *content { p.known = nil; return p.parse(file) })
}

// BenchmarkParse10000OneChanged: all but one entry are in memory.
func BenchmarkParse10000OneChanged(b *testing.B) {
	files := map[bool][]byte{true: many(10_000, "ssh"), false: many(10_000, "ftp")}
	benchmarkParse(b, func(p *parser, even bool) *content { return p.parse(files[even]) })
}

// BenchmarkRead10000Unchanged: the whole look at a file that says what it said.
func BenchmarkRead10000Unchanged(b *testing.B) {
	r := newTestReader(b, "", many(10_000, "ssh"))
	if got := r.Read(); got.Status != messages.FileValid {
		b.Fatal(got.Fault)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Read()
	}
}
