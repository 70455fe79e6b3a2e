package config

import (
	"fmt"
	"slices"
	"strings"
)

// iniSource turns sections of decnet.ini into DECNET_* variables.
type iniSource struct {
	file *inifile
	path string
	mode string // agent or master
}

// fixed says which options of which section stand for which variable. Source: DECNET's own table; the sections for
// its other workers are left out.
var fixed = []struct{ variable, section, key string }{
	{"DECNET_DB_TYPE", "database", "type"},
	{"DECNET_DB_URL", "database", "url"},
	{"DECNET_DB_HOST", "database", "host"},
	{"DECNET_DB_PORT", "database", "port"},
	{"DECNET_DB_NAME", "database", "name"},
	{"DECNET_DB_USER", "database", "user"},
	{"DECNET_BUS_ENABLED", "bus", "enabled"},
	{"DECNET_BUS_TYPE", "bus", "type"},
	{"DECNET_BUS_SOCKET", "bus", "socket"},
	{"DECNET_SYSTEM_LOGS", "logging", "system-log"},
}

// iniModes are the values of [decnet] mode; each has a section of its name. Source: DECNET.
var iniModes = []string{"master", "agent"}

func newINISource(path, text string) (*iniSource, error) {
	file, err := parseINI(text)
	if err != nil {
		return nil, err
	}
	mode, has, err := file.option("decnet", "mode")
	if err != nil {
		return nil, fmt.Errorf("[decnet] mode %w", err)
	}
	if !has {
		mode = iniModes[0]
	}
	if mode = strings.ToLower(mode); !slices.Contains(iniModes, mode) {
		return nil, fmt.Errorf("[decnet] mode is %s, must be agent or master", quoted(mode))
	}
	return &iniSource{file: file, path: path, mode: mode}, nil
}

// lookup finds the option that stands for a variable. DECNET lets the first one win: [decnet], the section of the mode,
// the fixed table.
func (s *iniSource) lookup(variable string) (candidate, bool, error) {
	if s == nil {
		return candidate{}, false, nil
	}
	for _, p := range s.places(variable) {
		v, has, err := s.file.option(p.section, p.key)
		where := "ini " + s.path + " [" + p.section + "] " + p.key
		if err != nil {
			return candidate{source: where, layer: layerINI}, false, err
		}
		if has && v != "" {
			return candidate{value: v, source: where, layer: layerINI}, true, nil
		}
	}
	return candidate{}, false, nil
}

type place struct{ section, key string }

func (s *iniSource) places(variable string) []place {
	suffix, ok := strings.CutPrefix(variable, "DECNET_")
	if !ok {
		return nil
	}
	var out []place
	for _, section := range []string{"decnet", s.mode} {
		// A key may be spelled with - or _; both become the same variable.
		kebab := strings.ToLower(strings.ReplaceAll(suffix, "_", "-"))
		out = append(out, place{section, kebab}, place{section, strings.ToLower(suffix)})
	}
	for _, f := range fixed {
		if f.variable == variable {
			out = append(out, place{f.section, f.key})
		}
	}
	return out
}
