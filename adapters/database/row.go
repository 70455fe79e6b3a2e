package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of what is read from a row, in characters. What is longer is cut by the query.
const (
	maxName     = 128      // as in the state file
	maxWord     = 255      // longest that fits on MySQL
	maxServices = 64 << 10 // far above 29 known services, each named a hundred times
	maxConfig   = 1 << 20  // a sixteenth of the largest state file
	maxText     = 4 << 10  // last_error: what fits on a screen
)

// raw is a row of fleet_deckies as the driver gave it. The bytes belong to the driver: copy what stays.
type raw struct {
	host, name, services, config, ip, state, lastError []byte
	hasConfig                                          bool
}

// rawColumns are the columns of raw, in its order, each one character longer than its bound.
var rawColumns = fmt.Sprintf("host_uuid, SUBSTR(name, 1, %d), SUBSTR(services, 1, %d), SUBSTR(decky_config, 1, %d), "+
	"SUBSTR(decky_ip, 1, %d), SUBSTR(state, 1, %d), SUBSTR(last_error, 1, %d), "+
	"CASE WHEN decky_config IS NULL THEN 0 ELSE 1 END",
	maxName+1, maxServices+1, maxConfig+1, maxWord+1, maxWord+1, maxText+1)

// clip makes text from outside valid UTF-8 of bounded length. It is applied wherever a state is compared too.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// checkName says what is wrong with the name of a decky, "" if nothing.
func checkName(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > maxName:
		return "is longer than 128 bytes"
	case !utf8.ValidString(name):
		return "is no valid UTF-8"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has control characters"
	}
	return ""
}

// parsed is what a row means. Without a usable name ok is false and there are faults only.
type parsed struct {
	row    messages.Recorded
	faults []messages.Fault
	ok     bool
}

// rewrite is the remedy for a column of ours.
const rewrite = "it is written again from the state file"

// read reads a row whole as far as it can be read; each unreadable column is a fault.
func (c *rowCache) read(r raw) parsed {
	name := string(r.name)
	if what := checkName(name); what != "" {
		return parsed{faults: []messages.Fault{{Where: fmt.Sprintf("%s: fleet_deckies name %q", c.where, clip(name, maxName)),
			What: what, Remedy: "delete the row; it is left alone"}}}
	}
	content := c.content(r)
	p := parsed{ok: true, faults: content.faults, row: messages.Recorded{Name: name, Services: content.services,
		HasConfig: r.hasConfig, Digest: content.digest, LastMutated: content.lastMutated, IP: clip(string(r.ip), maxWord),
		State: clip(string(r.state), maxWord), LastError: clip(string(r.lastError), maxText)}}
	for _, column := range []struct {
		name string
		text []byte
	}{{"decky_ip", r.ip}, {"state", r.state}} {
		if !utf8.Valid(column.text) {
			// A new slice: the faults of content are shared.
			p.faults = append(slices.Clone(p.faults), c.blame(name, column.name, errUTF8))
		}
	}
	return p
}

func (c *rowCache) blame(name, column string, err error) messages.Fault {
	return messages.Fault{Where: fmt.Sprintf("%s: fleet_deckies %q: %s", c.where, name, column), What: err.Error(), Remedy: rewrite}
}

// parse reads the columns services and decky_config.
func (c *rowCache) parse(r raw) content {
	var p content
	var err error
	if p.services, err = parseServices(r.services); err != nil {
		p.faults = append(p.faults, c.blame(string(r.name), "services", err))
	}
	if !r.hasConfig {
		return p
	}
	if p.digest, p.lastMutated, err = parseConfig(r.config, c.digest); err != nil {
		p.faults = append(p.faults, c.blame(string(r.name), "decky_config", err))
	}
	return p
}

var errUTF8 = errors.New("is no valid UTF-8")

// parseServices wants a JSON list of strings.
func parseServices(b []byte) ([]string, error) {
	if len(b) > maxServices {
		return nil, fmt.Errorf("is longer than %d bytes", maxServices)
	}
	if !utf8.Valid(b) {
		return nil, errUTF8
	}
	var list []*string
	if err := json.Unmarshal(b, &list); err != nil || list == nil {
		return nil, errors.New("is no JSON list of strings")
	}
	names := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil {
			return nil, errors.New("is no JSON list of strings")
		}
		names = append(names, *s)
	}
	return names, nil
}

// parseConfig gives the digest and last_mutated of a decky_config. The digest stands where last_mutated alone cannot be
// read: it takes no part in it.
func parseConfig(b []byte, digest func(string) (string, error)) (string, float64, error) {
	if len(b) > maxConfig {
		return "", 0, fmt.Errorf("is longer than %d bytes", maxConfig)
	}
	if !utf8.Valid(b) {
		return "", 0, errUTF8
	}
	d, err := digest(string(b))
	if err != nil {
		return "", 0, fmt.Errorf("cannot be read: %w", err)
	}
	var c struct {
		LastMutated float64 `json:"last_mutated"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return d, 0, errors.New("last_mutated cannot be read")
	}
	return d, c.LastMutated, nil
}
