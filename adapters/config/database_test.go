package config

import (
	"strings"
	"testing"
)

func TestDatabaseIsWhatDECNETWouldUse(t *testing.T) {
	mysql := map[string]string{"DECNET_DB_TYPE": "mysql", "DECNET_DB_PASSWORD": "p w/ü@:", "DECNET_DB_HOST": "db1"}
	tests := map[string]struct {
		world     world
		url, from string
	}{
		"sqlite has one place": {
			world{env: map[string]string{"DECNET_DB_TYPE": "sqlite", "DECNET_DB_URL": "sqlite:////tmp/x.db"}},
			"sqlite:///opt/decnet/decnet.db", "env DECNET_DB_TYPE",
		},
		"a strange directory is encoded": {
			world{flags: map[string]string{"install-dir": "/a b?c"}}, "sqlite:///a%20b%3Fc/decnet.db", "default",
		},
		"mysql from its parts, quoted as DECNET quotes": {
			world{env: mysql},
			"mysql://decnet:p+w%2F%C3%BC%40%3A@db1:3306/decnet", "env DECNET_DB_TYPE, env DECNET_DB_PASSWORD, env DECNET_DB_HOST",
		},
		"mysql by URL, whatever the driver": {
			world{env: map[string]string{"DECNET_DB_TYPE": "mysql", "DECNET_DB_URL": "mysql+asyncmy://u:p@h/d"}},
			"mysql+asyncmy://u:p@h/d", "env DECNET_DB_TYPE, env DECNET_DB_URL",
		},
		"each part is found by itself": {
			world{
				env:   map[string]string{"DECNET_DB_PASSWORD": "x"},
				files: map[string]string{iniPath: "[database]\ntype=mysql\nhost=::1\nport=3307\n", envPath: "DECNET_DB_USER=u\n"},
			},
			"mysql://u:x@[::1]:3307/decnet",
			"ini " + iniPath + " [database] type, ini " + iniPath + " [database] port, .env.local " + envPath +
				" DECNET_DB_USER, env DECNET_DB_PASSWORD, ini " + iniPath + " [database] host",
		},
		"postgres, which DECNET has not": {
			world{env: map[string]string{"DECNET_DB_TYPE": "postgresql", "DECNET_DB_NAME": "fleet"}},
			"postgres://decnet@localhost:5432/fleet", "env DECNET_DB_TYPE, env DECNET_DB_NAME",
		},
		"a credential for the password": {
			world{
				env:   map[string]string{"DECNET_DB_TYPE": "mysql", "CREDENTIALS_DIRECTORY": "/run/c", "DECNET_DB_PASSWORD": "old"},
				files: map[string]string{"/run/c/db-password": "new\n"},
			},
			"mysql://decnet:new@localhost:3306/decnet", "env DECNET_DB_TYPE, credential db-password",
		},
		"a credential for the URL beats DECNET's parts": {
			world{
				env:   map[string]string{"DECNET_DB_TYPE": "mysql", "CREDENTIALS_DIRECTORY": "/run/c"},
				files: map[string]string{"/run/c/db-url": "postgres://a:b@h/d\n"},
			},
			"postgres://a:b@h/d", "credential db-url",
		},
		"a file for the URL": {
			world{env: map[string]string{"FLEETD_DATABASE_URL_FILE": "/s"}, files: map[string]string{"/s": "mysql://a:b@h/d\n"}},
			"mysql://a:b@h/d", "file /s",
		},
		"our variable beats the credential": {
			world{
				env:   map[string]string{"FLEETD_DATABASE_URL": "sqlite:////x.db", "CREDENTIALS_DIRECTORY": "/run/c"},
				files: map[string]string{"/run/c/db-url": "mysql://a:b@h/d"},
			},
			"sqlite:////x.db", "env FLEETD_DATABASE_URL",
		},
		"our word in .env.local counts less than DECNET's in the ini": {
			world{files: map[string]string{
				envPath: "FLEETD_DATABASE_URL=sqlite:///x.db\n", iniPath: "[database]\ntype=sqlite\n",
			}}, "sqlite:///opt/decnet/decnet.db", "ini " + iniPath + " [database] type",
		},
		"and more than DECNET's beside it": {
			world{files: map[string]string{envPath: "FLEETD_DATABASE_URL=sqlite:///x.db\nDECNET_DB_TYPE=sqlite\n"}},
			"sqlite:///x.db", ".env.local " + envPath + " FLEETD_DATABASE_URL",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, origins := tt.world.load(t)
			if s.Database != tt.url || origins["database"].Source != tt.from {
				t.Errorf("got %q from %q\nwant %q from %q", s.Database, origins["database"].Source, tt.url, tt.from)
			}
		})
	}
}

func TestNoPasswordIsEverShown(t *testing.T) {
	const secret = "hunter2"
	for name, w := range map[string]world{
		"URL by flag":          {flags: map[string]string{"database": "postgres://u:" + secret + "@h/d"}},
		"URL with a slash":     {flags: map[string]string{"database": "postgres://u:x/" + secret + "@h/d"}},
		"URL with an at":       {flags: map[string]string{"database": "postgres://u:x@" + secret + "@h/d"}},
		"URL option":           {flags: map[string]string{"database": "postgres://u@h/d?Pass%77ord=" + secret}},
		"URL of nothing":       {flags: map[string]string{"database": "u:" + secret + "@h/d"}},
		"URL without a scheme": {env: map[string]string{"FLEETD_DATABASE_URL": secret}, client: true},
		"overridden URL":       {flags: map[string]string{"database": "sqlite:///x"}, env: map[string]string{"FLEETD_DATABASE_URL": "mysql://u:" + secret + "@h/d"}},
		"overridden password":  {flags: map[string]string{"database": "sqlite:///x"}, env: map[string]string{"DECNET_DB_PASSWORD": secret}},
		"password in parts":    {env: map[string]string{"DECNET_DB_TYPE": "mysql", "DECNET_DB_PASSWORD": secret}},
		"engine's URL":         {flags: map[string]string{"docker-host": "tcp://u:" + secret + "@h:1"}},
		"bad engine's URL":     {flags: map[string]string{"docker-host": "ssh://u:" + secret + "@h:1"}},
	} {
		_, origins, err := Load(w.input())
		var all strings.Builder
		for _, o := range origins {
			all.WriteString(o.Value + o.Source + strings.Join(o.Overrides, " "))
		}
		if err != nil {
			all.WriteString(err.Error())
		}
		if strings.Contains(all.String(), secret) {
			t.Errorf("%s: the password shows: %s", name, all.String())
		}
	}
}
