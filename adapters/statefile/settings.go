package statefile

import (
	"math"
	"strconv"
	"strings"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

// settingID names a member of the file that concerns DECNET and not us. A wrong one makes DECNET refuse the file,
// so the doctor should know; the deckies in it are declared all the same.
type settingID int

const (
	composePath settingID = iota
	mode
	networkInterface
	subnet
	gateway
	logFile
	ipvlan
	mutateInterval
	settingCount
)

// setting is one of them: its path, and what DECNET (which converts where it can) accepts.
type setting struct {
	key, path string
	required  bool
	want      string
	accepts   func(v pyjson.Value) bool
}

// settings are those of DECNET 1.2.1.
var settings = [settingCount]setting{
	composePath:      {"compose_path", "compose_path", true, "a string", isString},
	mode:             {"mode", "config.mode", true, `"unihost" or "swarm"`, isMode},
	networkInterface: {"interface", "config.interface", true, "a string", isString},
	subnet:           {"subnet", "config.subnet", true, "a string", isString},
	gateway:          {"gateway", "config.gateway", true, "a string", isString},
	logFile:          {"log_file", "config.log_file", false, "a string or null", isStringOrNull},
	ipvlan:           {"ipvlan", "config.ipvlan", false, "true or false", isBoolLike},
	mutateInterval:   {"mutate_interval", "config.mutate_interval", false, "a whole number or null", isIntLikeOrNull},
}

// warnings names the settings that DECNET would not accept. The Where of each is its path inside the file.
func (l *layout) warnings(text []byte) []messages.Fault {
	var out []messages.Fault
	var doc pyjson.Doc
	for id, m := range settings {
		span := l.settings[id]
		switch span.Kind {
		case 0:
			if m.required {
				out = append(out, settingFault(m, "is missing"))
			}
			continue
		case pyjson.Array, pyjson.Object: // never right, and not worth parsing
		case pyjson.Null, pyjson.False, pyjson.True, pyjson.Int, pyjson.Float, pyjson.String:
			if v, err := doc.Parse(text[span.Start:span.End]); err == nil && m.accepts(v) {
				continue
			}
		}
		out = append(out, settingFault(m, kindWord(span.Kind)+", must be "+m.want))
	}
	return out
}

func settingFault(m setting, what string) messages.Fault {
	return messages.Fault{Where: m.path, What: what, Remedy: "DECNET itself refuses the file for it: run decnet deploy again"}
}

func isString(v pyjson.Value) bool       { return v.Kind() == pyjson.String && v.Whole() }
func isStringOrNull(v pyjson.Value) bool { return v.Kind() == pyjson.Null || isString(v) }
func isMode(v pyjson.Value) bool {
	return v.Kind() == pyjson.String && (string(v.Text()) == "unihost" || string(v.Text()) == "swarm")
}

func isBoolLike(v pyjson.Value) bool {
	switch v.Kind() {
	case pyjson.True, pyjson.False:
		return true
	case pyjson.Int, pyjson.Float:
		return pyjson.Number(v) == 0 || pyjson.Number(v) == 1
	case pyjson.String:
		switch strings.ToLower(string(v.Text())) {
		case "0", "off", "f", "false", "n", "no", "1", "on", "t", "true", "y", "yes":
			return true
		}
	case pyjson.Null, pyjson.Array, pyjson.Object:
	}
	return false
}

func isIntLikeOrNull(v pyjson.Value) bool {
	switch v.Kind() {
	case pyjson.Null, pyjson.Int, pyjson.True, pyjson.False:
		return true
	case pyjson.Float:
		f := pyjson.Number(v)
		return f == math.Trunc(f) && !math.IsInf(f, 0)
	case pyjson.String:
		_, err := strconv.Atoi(strings.TrimSpace(string(v.Text())))
		return err == nil
	case pyjson.Array, pyjson.Object:
	}
	return false
}
