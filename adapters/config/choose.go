package config

import (
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/adapters/unixsock"
)

// parser turns a value into what is meant; want says what would be allowed, "" if it is.
type parser[T any] func(value string) (parsed T, want string)

// choose takes the best candidate of a setting, or its default.
func choose[T any](l *loader, s spec, preset T, parse parser[T]) T {
	return chooseFrom(l, s, l.candidates(s), preset, parse)
}

// chooseFrom is choose for candidates that are known already.
func chooseFrom[T any](l *loader, s spec, all []candidate, preset T, parse parser[T]) T {
	if len(all) == 0 {
		l.note(s.key, preset, "default", nil)
		return preset
	}
	v, want := parse(all[0].value)
	if want != "" {
		l.bad(s, all[0], want)
		v = preset
	}
	l.note(s.key, v, all[0].source, all[1:])
	return v
}

func (l *loader) flag(s spec) bool { return choose(l, s, false, boolean) }

func (l *loader) path(s spec, preset string) string {
	return choose(l, s, preset, func(v string) (string, string) {
		if v == "" || strings.ContainsRune(v, 0) {
			return "", "a path"
		}
		return l.abs(v), ""
	})
}

func (l *loader) socket(s spec, preset string) string {
	path := l.path(s, preset)
	if len(path) > unixsock.MaxPath {
		l.fault(s.key+" ("+l.origins[len(l.origins)-1].Source+")",
			fmt.Sprintf("has %d bytes, a socket's path at most %d", len(path), unixsock.MaxPath), "choose a shorter path with --"+s.key)
	}
	return path
}

// users is a list of names or ids. Whether there are such users is not looked up here.
func users(v string) (string, string) {
	for _, r := range v {
		if r <= ' ' && r != ' ' || r > '~' || strings.ContainsRune(`"'/:\`, r) {
			return "", "names or ids of users, separated by commas"
		}
	}
	return v, ""
}

var truths = map[string]bool{
	"true": true, "1": true, "yes": true, "on": true,
	"false": false, "0": false, "no": false, "off": false,
}

func boolean(v string) (bool, string) {
	b, ok := truths[strings.ToLower(strings.TrimSpace(v))]
	if !ok {
		return false, "true or false"
	}
	return b, ""
}

func oneOf(words ...string) parser[string] {
	return func(v string) (string, string) {
		v = strings.ToLower(strings.TrimSpace(v))
		if !slices.Contains(words, v) {
			return "", oneOfWords(words)
		}
		return v, ""
	}
}

func oneOfWords(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// interval also takes a bare number of seconds, as DECNET's -i does.
func interval(v string) (time.Duration, string) {
	return duration(v, time.Second, time.Hour, "a time from 1s to 1h, like 30s")
}

// replay is off or short: what is sent again has to be kept in memory.
func replay(v string) (time.Duration, string) {
	if strings.EqualFold(v, "off") {
		return 0, ""
	}
	return duration(v, 0, time.Minute, "off or a time up to 1m, like 1s")
}

func duration(v string, least, most time.Duration, want string) (time.Duration, string) {
	v = strings.TrimSpace(v)
	d, err := time.ParseDuration(v)
	if s, number := strconv.ParseFloat(v, 64); err != nil && number == nil && math.Abs(s) < math.MaxInt32 {
		d, err = time.Duration(s*float64(time.Second)), nil
	}
	if err != nil || d < least || d > most {
		return 0, want
	}
	return d, ""
}

// hostID: the empty one means all hosts to DECNET, and a control byte breaks every list it is shown in.
func hostID(v string) (string, string) {
	control := strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f })
	if v == "" || len(v) > 128 || !utf8.ValidString(v) || control || strings.Contains(v, ":") {
		return "", "1 to 128 bytes of text without control characters and colons, like local or a UUID"
	}
	return v, ""
}

func dockerHost(v string) (string, string) {
	const want = "unix:///path, tcp://host:port, http://host:port or https://host:port"
	u, err := url.Parse(v)
	if err != nil {
		return "", want
	}
	switch u.Scheme {
	case "unix":
		if !strings.HasPrefix(u.Path, "/") || u.Host != "" {
			return "", want
		}
		return v, ""
	case "tcp", "http", "https":
		if u.Host == "" {
			return "", want
		}
		return v, ""
	}
	return "", want
}
