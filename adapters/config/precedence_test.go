package config

import (
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// mention puts a bus socket into one of the six places; the places are in the order of precedence.
var mention = []struct {
	source string
	put    func(w *world, value string)
}{
	{"flag --bus-socket", func(w *world, v string) { w.flags["bus-socket"] = v }},
	{"env FLEETD_BUS_SOCKET", func(w *world, v string) { w.env["FLEETD_BUS_SOCKET"] = v }},
	{"env DECNET_BUS_SOCKET", func(w *world, v string) { w.env["DECNET_BUS_SOCKET"] = v }},
	{"ini " + iniPath + " [bus] socket", func(w *world, v string) { w.files[iniPath] = "[bus]\nsocket=" + v + "\n" }},
	{".env.local " + envPath + " FLEETD_BUS_SOCKET", func(w *world, v string) { w.files[envPath] += "FLEETD_BUS_SOCKET=" + v + "\n" }},
	{".env.local " + envPath + " DECNET_BUS_SOCKET", func(w *world, v string) { w.files[envPath] += "DECNET_BUS_SOCKET=" + v + "\n" }},
}

func TestTheBestPlaceThatSpeaksWinsAndTheOthersAreListed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world{flags: map[string]string{}, env: map[string]string{}, files: map[string]string{}}
		value, source, overrides := "/run/decnet/bus.sock", "default", []string{}
		said := false
		for i, m := range mention {
			if !rapid.Bool().Draw(t, m.source) {
				continue
			}
			v := "/v" + string(rune('0'+i))
			m.put(&w, v)
			if !said {
				value, source, said = v, m.source, true
			} else {
				overrides = append(overrides, m.source+": "+v)
			}
		}
		s, origins, err := Load(w.input())
		if err != nil {
			t.Fatal(err)
		}
		o := byKey(origins)["bus-socket"]
		if said && s.BusSocket != value || !said && s.BusSocket != "" || o.Value != value || o.Source != source || !reflect.DeepEqual(o.Overrides, overrides) {
			t.Fatalf("%q, %+v; want %q from %q over %q", s.BusSocket, o, value, source, overrides)
		}
	})
}

func TestTheSameInputGivesTheSameSettings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := world{flags: drawSome(t, "flag", flagNames()), env: drawSome(t, "env", envNames()), files: map[string]string{}}
		s1, o1, err1 := Load(w.input())
		s2, o2, err2 := Load(w.input())
		if !reflect.DeepEqual(s1, s2) || !reflect.DeepEqual(o1, o2) || (err1 == nil) != (err2 == nil) {
			t.Fatal("two readings of one input differ")
		}
		if len(o1) != 30 {
			t.Fatalf("%d rows in the table of origins", len(o1))
		}
	})
}

func flagNames() []string {
	return []string{"bus", "database", "interval", "docker-host", "host-uuid", "log-level", "takeover", "bus-replay", "state-dir"}
}

func envNames() []string {
	return []string{"FLEETD_BUS", "DECNET_BUS_ENABLED", "DECNET_BUS_TYPE", "DECNET_DB_TYPE", "DECNET_DB_PORT", "DOCKER_HOST", "DECNET_DEVELOPER"}
}

func drawSome(t *rapid.T, label string, names []string) map[string]string {
	values := rapid.OneOf(rapid.SampledFrom([]string{"true", "false", "unix", "off", "mysql", "sqlite:///x", "1s", "unix:///d"}), rapid.String())
	drawn := rapid.MapOf(rapid.SampledFrom(names), values).Draw(t, label)
	return maps.Clone(drawn)
}
