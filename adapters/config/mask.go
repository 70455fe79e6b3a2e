package config

import (
	"net/url"
	"strings"
)

// masked stands for a secret.
const masked = "***"

// Mask hides the password in a URL and every query value whose name promises a secret. Text that is no URL comes back
// as it is. It rather hides too much: whatever stands before the last @ may be a login.
func Mask(s string) string {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	at := strings.LastIndexByte(rest, '@')
	if at >= 0 {
		if user, _, has := strings.Cut(rest[:at], ":"); has {
			rest = user + ":" + masked + rest[at:]
		}
	}
	if ok {
		rest = scheme + "://" + maskQuery(rest)
	}
	return rest
}

func maskQuery(s string) string {
	head, query, ok := strings.Cut(s, "?")
	if !ok {
		return s
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, has := strings.Cut(pair, "=")
		if has && secretName(name) {
			pairs[i] = name + "=" + masked
		}
	}
	return head + "?" + strings.Join(pairs, "&")
}

func secretName(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name = strings.ToLower(name)
	for _, word := range []string{"password", "passwd", "pwd", "secret", "token"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
