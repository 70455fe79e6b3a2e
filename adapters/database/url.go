package database

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// errURL never quotes the URL: it would put a password into a log.
var errURL = errors.New(`database URL: cannot be read; want sqlite:///abs/path.db, postgres://user:password@host/db ` +
	`or mysql://user:password@host/db, with special characters in user and password percent-encoded`)

// target is a parsed URL.
type target struct {
	dialect  *dialect
	where    string // for messages
	path     string // of the SQLite file; "" for a server
	network  string // tcp or unix
	addr     string // host:port or the path of a socket
	host     string // without port
	user     string
	password string
	database string
	tls      *tls.Config // nil: in clear
	readOnly bool        // no connection can write
}

// parseURL understands SQLAlchemy's URLs, which is what DECNET is configured with: any +driver is ignored.
func parseURL(raw string) (target, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return target{}, errURL
	}
	scheme, _, _ = strings.Cut(scheme, "+")
	switch scheme {
	case "sqlite":
		return sqliteTarget(rest)
	case "postgres", "postgresql":
		return serverTarget(&postgresDialect, rest, "5432")
	case "mysql", "mariadb":
		return serverTarget(&mysqlDialect, rest, "3306")
	}
	return target{}, fmt.Errorf("database URL: unsupported database type %q; want sqlite, postgres or mysql", scheme)
}

func sqliteTarget(rest string) (target, error) {
	name, query, _ := strings.Cut(rest, "?")
	file, err := url.PathUnescape(name)
	switch {
	case err != nil || strings.ContainsRune(file, 0):
		return target{}, errURL
	case query != "":
		return target{}, errors.New("database URL: a SQLite URL takes no options")
	case !strings.HasPrefix(file, "/") || filepath.Clean(file) == "/":
		return target{}, errors.New("database URL: a SQLite file needs an absolute path: sqlite:///abs/path.db")
	}
	// SQLAlchemy spells an absolute path with four slashes, operators with three.
	file = filepath.Clean(file)
	return target{dialect: &sqliteDialect, path: file, where: file}, nil
}

func serverTarget(d *dialect, rest, port string) (target, error) {
	t := target{dialect: d, network: "tcp"}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		if err := t.login(rest[:at]); err != nil {
			return target{}, err
		}
		rest = rest[at+1:]
	}
	u, err := url.Parse("db://" + rest)
	if err != nil {
		return target{}, errURL
	}
	t.host, t.database = u.Hostname(), strings.TrimPrefix(u.Path, "/")
	if t.database == "" || strings.Contains(t.database, "/") {
		return target{}, errors.New("database URL: the name of the database is missing")
	}
	if p := u.Port(); p != "" {
		port = p
	}
	if t.host == "" {
		t.host = "localhost"
	}
	t.addr = net.JoinHostPort(t.host, port)
	if err := t.options(u.Query(), port); err != nil {
		return target{}, err
	}
	t.where = d.name + "://" + t.addr + "/" + t.database
	return t, nil
}

// login decodes user and password as Python's quote_plus encodes them: a space is a plus sign.
func (t *target) login(info string) error {
	user, password, _ := strings.Cut(info, ":")
	var err1, err2 error
	t.user, err1 = url.QueryUnescape(user)
	t.password, err2 = url.QueryUnescape(password)
	if err1 != nil || err2 != nil {
		return errURL
	}
	return nil
}

// urlOptions are the options we act on; charset is DECNET's and always utf8mb4 with us.
var urlOptions = []string{"sslmode", "sslrootcert", "sslcert", "sslkey", "host", "unix_socket", "charset"}

func (t *target) options(q url.Values, port string) error {
	for k := range q {
		if !slices.Contains(urlOptions, k) {
			return fmt.Errorf("database URL: unknown option %q; known are %s", k, strings.Join(urlOptions, ", "))
		}
	}
	if dir := q.Get("host"); strings.HasPrefix(dir, "/") {
		t.network, t.addr = "unix", path.Join(dir, ".s.PGSQL."+port)
	} else if dir != "" {
		return errors.New("database URL: option host is for the directory of a unix socket")
	}
	if socket := q.Get("unix_socket"); socket != "" {
		t.network, t.addr = "unix", socket
	}
	return t.secure(q)
}

// remote says that packets leave this machine.
func (t *target) remote() bool {
	if t.path != "" || t.network == "unix" || t.host == "localhost" {
		return false
	}
	ip := net.ParseIP(t.host)
	return ip == nil || !ip.IsLoopback()
}
