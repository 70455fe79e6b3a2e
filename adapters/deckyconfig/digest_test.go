package deckyconfig

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDigestTellsDriftFromSpelling(t *testing.T) {
	rows := []struct {
		name  string
		a, b  string
		drift bool
	}{
		{"the same text", entry(), entry(), false},
		{"a missing key is its default", entry("archetype", "", "service_config", "", "nmap_os", "", "mutate_interval", "", "host_uuid", ""),
			entry(), false},
		{"a missing build_base is the pinned one", entry("build_base", ""), entry(), true},
		{"1 is 1.0", entry("mutate_interval", "30"), entry("mutate_interval", "30.0"), false},
		{"a number in a setting too", entry("service_config", `{"a":{"n":1}}`), entry("service_config", `{"a":{"n":1.0}}`), false},
		{"another number in a setting", entry("service_config", `{"a":{"n":1}}`), entry("service_config", `{"a":{"n":2}}`), true},
		{"times of use do not count", entry("last_mutated", "1.5", "last_login_attempt", "7"), entry("last_mutated", "", "last_login_attempt", `"x"`), false},
		{"services in any order", entry("services", `["a","b"]`), entry("services", `["b","a"]`), false},
		{"services said twice", entry("services", `["a","b","a"]`), entry("services", `["b","a"]`), false},
		{"another service", entry("services", `["a"]`), entry("services", `["a","b"]`), true},
		{"services that are no list", entry("services", `["a"]`), entry("services", `"a"`), true},
		{"services that are no strings", entry("services", `["1"]`), entry("services", `[1]`), true},
		{"services that are empty", entry("services", `{}`), entry("services", `[]`), true},
		{"keys in any order", entry("service_config", `{"a":{},"b":{}}`), entry("service_config", `{"b":{},"a":{}}`), false},
		{"escapes", entry("hostname", `"\u00e9"`), entry("hostname", `"é"`), false},
		{"NaN is stored as null", entry("service_config", `{"a":{"n":NaN}}`), entry("service_config", `{"a":{"n":null}}`), false},
		{"another name", entry("name", `"a"`), entry("name", `"b"`), true},
		{"another host", entry("host_uuid", `"a"`), entry("host_uuid", `null`), true},
		{"a value in the wrong field", entry("distro", `"x"`, "hostname", `"y"`), entry("distro", `"y"`, "hostname", `"x"`), true},
		{"a required key that is missing", entry("ip", ""), entry("ip", `""`), true},
		{"null is not the default of nmap_os", entry("nmap_os", "null"), entry("nmap_os", ""), true},
		{"an unknown key in the row", entry(), entry("foo", "1"), true},
		{"another unknown key", entry("bar", "1"), entry("foo", "1"), true},
		{"unknown keys in any order", entry("bar", "1", "foo", "2"), entry("foo", "2", "bar", "1"), false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := digest(t, row.a) != digest(t, row.b); got != row.drift {
				t.Errorf("drift is %v\n%s\n%s", got, row.a, row.b)
			}
		})
	}
}

func TestEntryAndItsRowHaveOneDigest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quoted := rapid.StringMatching(`"([ -!#-\[\]-~é👻]|\\n|\\u0000|\\u00e9)*"`)
		raw := entry("services", `[`+quoted.Draw(t, "service")+`,`+quoted.Draw(t, "service")+`]`,
			"hostname", quoted.Draw(t, "hostname"),
			"service_config", `{`+quoted.Draw(t, "key")+`:{"x":[`+rapid.StringMatching(`-?[1-9][0-9]{0,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number")+`,NaN]}}`,
			"mutate_interval", rapid.SampledFrom([]string{"", "null", "0", "-0", "30"}).Draw(t, "interval"))
		var p Parser
		d, err := p.Parse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := p.Digest(d.ConfigJSON); err != nil || got != d.Digest {
			t.Fatalf("%s: %s, row %s: %s (%v)", raw, d.Digest, d.ConfigJSON, got, err)
		}
	})
}

func TestRowThatIsNoConfigurationHasNoDigest(t *testing.T) {
	for _, s := range []string{"", "null", "[]", `"x"`, "{", "{}x", "\xff", "\x00", strings.Repeat("[", 1000), `{"a":` + strings.Repeat("1", MaxEntry) + "}"} {
		if d, err := Digest(s); err == nil {
			t.Errorf("%.20q has the digest %s", s, d)
		}
	}
}

func FuzzDigest(f *testing.F) {
	f.Add(entry())
	f.Add(`{"services":{"a":[1]},"name":null,"x":{},"x":1e999}`)
	f.Add(`{"services":["b","a","\ud800"]}`)
	f.Fuzz(func(t *testing.T, config string) {
		d, err := Digest(config)
		if err != nil {
			return
		}
		if again, err := Digest(" " + config + "\n"); err != nil || again != d || len(d) != 32 {
			t.Fatalf("%q: %s, then %s (%v)", config, d, again, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	raw := []byte(entry("service_config", `{"ssh":{"banner":"Welcome \u00e9","port":2200,"nested":{"a":[1,2.5,null]}}}`,
		"last_mutated", "1777252484.1234567", "services", `["ssh","http","docker_api"]`))
	var p Parser
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	raw := entry("services", `["ssh","http","docker_api"]`)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Digest(raw); err != nil {
			b.Fatal(err)
		}
	}
}
