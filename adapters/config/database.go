package config

import (
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// database is the URL somebody gave, or what DECNET would use.
func (l *loader) database() string {
	own := l.candidates(specDatabase)
	parts := l.databaseParts()
	if oursCount(own, parts.seen()) {
		return l.givenDatabase(own[0], append(showURLs(own[1:]), parts.seen()...))
	}
	url, from := l.compose(parts)
	l.note(specDatabase.key, showURL(url), from, showURLs(own))
	if from == "default" && len(l.hidden) > 0 && !l.in.Client {
		l.fault("database", "is not named, and "+strings.Join(l.hidden, ", ")+", which may name it, cannot be read",
			"run as a user who may read it, or name the database with --database")
	}
	return url
}

func (l *loader) givenDatabase(c candidate, rest []candidate) string {
	want := databaseURL(c.value)
	if want != "" {
		l.fault(specDatabase.key+" ("+c.source+")", "is no URL of a database, must be "+want, "correct it or take it out")
	}
	l.note(specDatabase.key, showURL(c.value), c.source, rest)
	return c.value
}

// showURL hides all of what is no URL: it may be all password.
func showURL(v string) string {
	if databaseURL(v) != "" {
		return masked
	}
	return v
}

func showURLs(all []candidate) []candidate {
	out := slices.Clone(all)
	for i := range out {
		out[i].value = showURL(out[i].value)
	}
	return out
}

// databaseURL says what would be allowed where the URL is not. It looks at what tells the engines apart; the rest is
// checked by whoever connects.
func databaseURL(v string) (want string) {
	want = "sqlite:///abs/path.db, postgres://user:password@host/name or mysql://user:password@host/name"
	scheme, rest, ok := strings.Cut(v, "://")
	scheme, _, _ = strings.Cut(scheme, "+")
	switch {
	case !ok || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return want
	case scheme == "sqlite":
		if !strings.HasPrefix(rest, "/") {
			return "an absolute path after sqlite://, like sqlite:///opt/decnet/decnet.db"
		}
		return ""
	case slices.Contains([]string{"postgres", "postgresql", "mysql", "mariadb"}, scheme) && rest != "":
		return ""
	}
	return want
}

// dbParts are DECNET's own database settings; each is found by itself, as DECNET does.
type dbParts struct{ kind, url, host, port, name, user, password []candidate }

func (l *loader) databaseParts() dbParts {
	return dbParts{
		kind: l.candidates(specDBType), url: l.candidates(specDBURL), host: l.candidates(specDBHost), port: l.candidates(specDBPort),
		name: l.candidates(specDBName), user: l.candidates(specDBUser), password: l.candidates(specDBPassword),
	}
}

// seen are the parts for the table of origins.
func (p dbParts) seen() []candidate {
	out := slices.Concat(p.kind, showURLs(p.url), p.host, p.port, p.name, p.user)
	for _, c := range p.password {
		c.value = masked
		out = append(out, c)
	}
	return out
}

// compose makes the URL DECNET would use. from names the sources, best first, without repeating one.
func (l *loader) compose(p dbParts) (database, from string) {
	use := &composer{}
	kind := strings.ToLower(use.take(p.kind, "sqlite"))
	switch kind {
	case "sqlite":
		if len(p.url) > 0 {
			l.warn("DECNET_DB_URL (" + p.url[0].source + ") is ignored because the database type is sqlite; DECNET ignores it too")
		}
		return "sqlite://" + (&url.URL{Path: filepath.ToSlash(l.inInstall(specDatabase, "decnet.db"))}).EscapedPath(), use.from()
	case "mysql", "mariadb", "postgres", "postgresql":
		if len(p.url) > 0 {
			return l.sharedURL(use.take(p.url, ""), p.url[0]), use.from()
		}
		return l.server(use, p, kind), use.from()
	}
	l.bad(specDBType, p.kind[0], "sqlite, mysql or postgres")
	return "", use.from()
}

func (l *loader) sharedURL(v string, c candidate) string {
	if want := databaseURL(v); want != "" {
		l.fault(specDatabase.key+" ("+c.source+")", "is no URL of a database, must be "+want, "correct it or take it out")
	}
	return v
}

// server composes the URL of a MySQL or PostgreSQL. Defaults and quoting are DECNET's: a space is a plus sign.
func (l *loader) server(use *composer, p dbParts, kind string) string {
	port := "3306"
	if strings.HasPrefix(kind, "postgres") {
		kind, port = "postgres", "5432"
	}
	port = use.take(p.port, port)
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		l.bad(specDBPort, p.port[0], "a port from 1 to 65535")
	}
	login := url.QueryEscape(use.take(p.user, "decnet"))
	password := use.take(p.password, "")
	if password != "" {
		login += ":" + url.QueryEscape(password)
	} else if kind != "postgres" {
		l.fault("database (DECNET_DB_PASSWORD)", "is empty", "set it, as a systemd credential db-password where you can; DECNET refuses an empty one too")
	}
	host := net.JoinHostPort(strings.Trim(use.take(p.host, "localhost"), "[]"), port)
	return kind + "://" + login + "@" + host + "/" + url.PathEscape(use.take(p.name, "decnet"))
}

// composer remembers which sources a composed value came from.
type composer struct{ sources []string }

func (u *composer) take(all []candidate, preset string) string {
	if len(all) == 0 {
		return preset
	}
	if !slices.Contains(u.sources, all[0].source) {
		u.sources = append(u.sources, all[0].source)
	}
	return all[0].value
}

func (u *composer) from() string {
	if len(u.sources) == 0 {
		return "default"
	}
	return strings.Join(u.sources, ", ")
}
