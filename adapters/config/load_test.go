package config

import (
	"strings"
	"testing"
	"time"
)

const (
	iniPath = "/etc/decnet/decnet.ini"
	envPath = "/opt/decnet/.env.local"
)

func TestDefaultsAreThoseOfAnInstalledHost(t *testing.T) {
	s, origins := world{root: true}.load(t)
	want := Settings{
		InstallDir: "/opt/decnet", StateFile: "/opt/decnet/decnet-state.json", Database: "sqlite:///opt/decnet/decnet.db",
		DockerHost: "unix:///var/run/docker.sock", Bus: BusUnix, HostUUID: "local",
		StateDir: "/var/lib/decnet-fleetd", ControlSocket: "/run/decnet-fleetd/control.sock",
		Interval: 30 * time.Second, LogLevel: "info", LogFormat: "json",
	}
	if got := s; len(got.Warnings) != 0 || got.StateFile != want.StateFile || got.Database != want.Database ||
		got.DockerHost != want.DockerHost || got.Bus != want.Bus || got.BusSocket != want.BusSocket || got.HostUUID != want.HostUUID ||
		got.StateDir != want.StateDir || got.ControlSocket != want.ControlSocket || got.Interval != want.Interval ||
		got.LogLevel != want.LogLevel || got.LogFormat != want.LogFormat || got.NoWait || got.Takeover || got.CreateSchema {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for key, o := range origins {
		if o.Source != "default" {
			t.Errorf("%s comes from %s", key, o.Source)
		}
	}
	if len(origins) != 30 {
		t.Errorf("%d rows in the table of origins, want one for each of 30 settings", len(origins))
	}
}

func TestValuesAreFoundWhereDECNETKeepsThem(t *testing.T) {
	tests := map[string]struct {
		world  world
		key    string
		value  string
		source string
	}{
		"the ini names the bus socket": {
			world{files: map[string]string{iniPath: "[bus]\nsocket = /x/bus.sock ; ours\n"}},
			"bus-socket", "/x/bus.sock", "ini /etc/decnet/decnet.ini [bus] socket",
		},
		"[decnet] beats the fixed section": {
			world{files: map[string]string{iniPath: "[bus]\nsocket=/a\n[decnet]\nbus-socket=/b\n"}},
			"bus-socket", "/b", "ini /etc/decnet/decnet.ini [decnet] bus-socket",
		},
		"the section of the mode counts": {
			world{files: map[string]string{iniPath: "[decnet]\nmode=agent\n[agent]\nbus-socket=/c\n[master]\nbus-socket=/d\n"}},
			"bus-socket", "/c", "ini /etc/decnet/decnet.ini [agent] bus-socket",
		},
		"DECNET_CONFIG moves the ini": {
			world{env: map[string]string{"DECNET_CONFIG": "/y.ini"}, files: map[string]string{"/y.ini": "[bus]\nenabled = False\n"}},
			"bus", "off", "ini /y.ini [bus] enabled",
		},
		"interpolation works as in DECNET": {
			world{files: map[string]string{iniPath: "[DEFAULT]\nbase=/srv\n[bus]\nsocket=%(base)s/100%%.sock\n"}},
			"bus-socket", "/srv/100%.sock", "ini /etc/decnet/decnet.ini [bus] socket",
		},
		".env.local is the last resort": {
			world{files: map[string]string{envPath: "export DECNET_BUS_SOCKET='/e/bus.sock'\n"}},
			"bus-socket", "/e/bus.sock", ".env.local /opt/decnet/.env.local DECNET_BUS_SOCKET",
		},
		".env.local follows the install directory": {
			world{flags: map[string]string{"install-dir": "/d"}, files: map[string]string{"/d/.env.local": "FLEETD_HOST_UUID=h1\n"}},
			"host-uuid", "h1", ".env.local /d/.env.local FLEETD_HOST_UUID",
		},
		"DECNET_BUS_ENABLED=false means off": {
			world{env: map[string]string{"DECNET_BUS_ENABLED": "false"}}, "bus", "off", "env DECNET_BUS_ENABLED",
		},
		"the fake bus of DECNET's tests means off": {
			world{env: map[string]string{"DECNET_BUS_TYPE": "fake"}}, "bus", "off", "env DECNET_BUS_TYPE",
		},
		"a flag beats a disabled bus": {
			world{flags: map[string]string{"bus": "embedded"}, env: map[string]string{"DECNET_BUS_ENABLED": "false"}},
			"bus", "embedded", "flag --bus",
		},
		"our own word in .env.local does not beat DECNET's in the environment": {
			world{env: map[string]string{"DECNET_BUS_ENABLED": "false"}, files: map[string]string{envPath: "FLEETD_BUS=unix\n"}},
			"bus", "off", "env DECNET_BUS_ENABLED",
		},
		"DECNET_DEVELOPER means debug": {
			world{env: map[string]string{"DECNET_DEVELOPER": "True"}}, "log-level", "debug", "env DECNET_DEVELOPER",
		},
		"DOCKER_HOST is heard": {
			world{env: map[string]string{"DOCKER_HOST": "unix:///d.sock"}}, "docker-host", "unix:///d.sock", "env DOCKER_HOST",
		},
		"an empty variable counts as unset": {
			world{env: map[string]string{"FLEETD_HOST_UUID": ""}}, "host-uuid", "local", "default",
		},
		"a bare number of seconds is an interval": {
			world{flags: map[string]string{"interval": "10"}}, "interval", "10s", "flag --interval",
		},
		"a relative path starts in the working directory": {
			world{flags: map[string]string{"state-file": "s.json"}}, "state-file", "/work/s.json", "flag --state-file",
		},
		"a pip install keeps the state file among its packages": {
			world{found: "/opt/decnet/venv/lib/python3.11/site-packages"}, "state-file",
			"/opt/decnet/venv/lib/python3.11/site-packages/decnet-state.json", "default",
		},
		"and the database beside it": {
			world{found: "/opt/decnet/venv/lib/python3.11/site-packages"}, "database",
			"sqlite:///opt/decnet/venv/lib/python3.11/site-packages/decnet.db", "default",
		},
		"a user's daemon keeps its state at home": {
			world{home: "/home/u"}, "state-dir", "/home/u/.local/state/decnet-fleetd", "default",
		},
		"XDG_STATE_HOME is heard": {
			world{home: "/home/u", env: map[string]string{"XDG_STATE_HOME": "/home/u/s"}},
			"state-dir", "/home/u/s/decnet-fleetd", "default",
		},
		"the unit's user has the system's directories": {
			world{home: "/opt/decnet", writable: []string{systemStateDir, systemRunDir}},
			"control-socket", "/run/decnet-fleetd/control.sock", "default",
		},
		"a user's daemon has its socket beside its state": {
			world{home: "/home/u"}, "control-socket", "/home/u/.local/state/decnet-fleetd/control.sock", "default",
		},
		"a member of the socket's group finds the system's daemon": {
			world{home: "/home/u", client: true, files: map[string]string{"/run/decnet-fleetd/control.sock": ""}},
			"control-socket", "/run/decnet-fleetd/control.sock", "default",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, origins := tt.world.load(t)
			if o := origins[tt.key]; o.Value != tt.value || o.Source != tt.source {
				t.Errorf("%s is %q from %q, want %q from %q", tt.key, o.Value, o.Source, tt.value, tt.source)
			}
		})
	}
}

func TestBadValuesNameSettingOriginAndRemedy(t *testing.T) {
	tests := map[string]struct {
		world world
		want  []string
	}{
		"a flag":             {world{flags: map[string]string{"bus": "tcp"}}, []string{"bus (flag --bus)", `"tcp"`, "unix, embedded or off"}},
		"a variable":         {world{env: map[string]string{"FLEETD_LOG_LEVEL": "loud"}}, []string{"log-level (env FLEETD_LOG_LEVEL)", "trace, debug"}},
		"a boolean":          {world{env: map[string]string{"FLEETD_TAKEOVER": "perhaps"}}, []string{"takeover", "true or false"}},
		"an interval":        {world{flags: map[string]string{"interval": "0"}}, []string{"interval (flag --interval)", "1s to 1h"}},
		"not a number":       {world{flags: map[string]string{"interval": "nan"}}, []string{"interval"}},
		"an hour and more":   {world{flags: map[string]string{"interval": "1h1s"}}, []string{"interval"}},
		"odd admins":         {world{flags: map[string]string{"admins": "alice:0"}}, []string{"admins", "names or ids"}},
		"a long replay":      {world{flags: map[string]string{"bus-replay": "2h"}}, []string{"bus-replay", "up to 1m"}},
		"an empty host id":   {world{flags: map[string]string{"host-uuid": ""}}, []string{"host-uuid", "1 to 128 bytes"}},
		"an engine by ssh":   {world{flags: map[string]string{"docker-host": "ssh://h"}}, []string{"docker-host", "unix:///path"}},
		"an unknown engine":  {world{env: map[string]string{"DECNET_DB_TYPE": "oracle"}}, []string{"database (env DECNET_DB_TYPE)", "sqlite, mysql or postgres"}},
		"a URL of nothing":   {world{flags: map[string]string{"database": "/x.db"}}, []string{"database (flag --database)", "sqlite:///abs/path.db"}},
		"a relative SQLite":  {world{flags: map[string]string{"database": "sqlite://x.db"}}, []string{"absolute path"}},
		"no MySQL password":  {world{env: map[string]string{"DECNET_DB_TYPE": "mysql"}}, []string{"DECNET_DB_PASSWORD", "empty"}},
		"a MySQL port":       {world{env: map[string]string{"DECNET_DB_TYPE": "mysql", "DECNET_DB_PASSWORD": "p", "DECNET_DB_PORT": "x"}}, []string{"1 to 65535"}},
		"a long socket":      {world{flags: map[string]string{"bus-socket": "/" + strings.Repeat("b", 107)}}, []string{"bus-socket (flag --bus-socket)", "108 bytes", "at most 107"}},
		"the ini's syntax":   {world{files: map[string]string{iniPath: "[bus]\nenabled\n"}}, []string{iniPath, "line 2"}},
		"the ini's twins":    {world{files: map[string]string{iniPath: "[bus]\n[bus]\n"}}, []string{iniPath, "line 2", "[bus]"}},
		"the ini's mode":     {world{files: map[string]string{iniPath: "[decnet]\nmode=both\n"}}, []string{"mode", "agent or master"}},
		"the ini's percent":  {world{files: map[string]string{iniPath: "[bus]\nsocket=50%\n"}}, []string{"[bus] socket", "%%"}},
		"the ini is a FIFO":  {world{files: map[string]string{iniPath: "!fifo"}}, []string{iniPath, "FIFO"}},
		"a huge ini":         {world{files: map[string]string{iniPath: strings.Repeat("#", MaxFile+1)}}, []string{"larger than 1 MiB"}},
		"no UTF-8 in .env":   {world{files: map[string]string{envPath: "A=\xff\n"}}, []string{envPath, "UTF-8"}},
		"a file to nowhere":  {world{env: map[string]string{"DECNET_DB_URL_FILE": "/nope"}}, []string{"DECNET_DB_URL_FILE", "/nope"}},
		"an unclear install": {world{found: "?"}, []string{"state-file", "here or there", "--state-file", "--database"}},
		"an ini that may hide the database": {
			world{files: map[string]string{iniPath: "!permission"}}, []string{"database", iniPath, "--database"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := tt.world.fault(t)
			for _, part := range tt.want {
				if !strings.Contains(got, part) {
					t.Errorf("the error %q does not mention %q", got, part)
				}
			}
		})
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	got := world{flags: map[string]string{"bus": "x", "log-format": "y", "interval": "z"}}.fault(t)
	if lines := strings.Count(got, "\n") + 1; lines != 3 {
		t.Errorf("%d lines of faults, want 3:\n%s", lines, got)
	}
}

func TestUnreadableFilesAreNoFaultForAClientOrWhereTheDatabaseIsNamed(t *testing.T) {
	files := map[string]string{iniPath: "!permission", envPath: "!permission"}
	for name, w := range map[string]world{
		"client": {client: true, files: files},
		"named":  {flags: map[string]string{"database": "sqlite:///x.db"}, files: files},
	} {
		if s, _ := w.load(t); len(s.Warnings) != 2 {
			t.Errorf("%s: warnings %q, want one for each file", name, s.Warnings)
		}
	}
}

func TestOverridesShowWhoLost(t *testing.T) {
	_, origins := world{
		flags: map[string]string{"bus": "off"},
		env:   map[string]string{"FLEETD_BUS": "unix", "DECNET_BUS_ENABLED": "true"},
		files: map[string]string{iniPath: "[bus]\nenabled=false\n"},
	}.load(t)
	got := strings.Join(origins["bus"].Overrides, "; ")
	if want := "env FLEETD_BUS: unix; env DECNET_BUS_ENABLED: true; ini /etc/decnet/decnet.ini [bus] enabled: false"; got != want {
		t.Errorf("overrides %q, want %q", got, want)
	}
}
