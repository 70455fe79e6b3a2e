package config

import (
	"slices"
	"strings"
	"time"
)

// Defaults that do not depend on the machine.
const (
	DefaultInstallDir = "/opt/decnet" // Source: `decnet init`
	// DefaultDockerHost is where the engine listens. Source: the Docker client.
	DefaultDockerHost = "unix:///var/run/docker.sock"
	// DefaultHostUUID is DECNET's name for a host that is not in a swarm.
	DefaultHostUUID = "local"
	// DefaultInterval is that of DECNET's own reconciler.
	DefaultInterval = 30 * time.Second
)

// spec names a setting in every place it may come from.
type spec struct {
	key        string   // flag and row of the table of origins
	own        string   // FLEETD_* variable, "" if none
	credential string   // file in $CREDENTIALS_DIRECTORY, "" if none
	secret     bool     // NAME_FILE may name a file that holds it
	shared     []string // variables of DECNET, or Docker, best first
}

var (
	specInstallDir    = spec{key: "install-dir", own: "FLEETD_INSTALL_DIR"}
	specStateFile     = spec{key: "state-file", own: "FLEETD_STATE_FILE"}
	specDatabase      = spec{key: "database", own: "FLEETD_DATABASE_URL", credential: "db-url", secret: true}
	specCreateSchema  = spec{key: "create-schema", own: "FLEETD_CREATE_SCHEMA"}
	specDockerHost    = spec{key: "docker-host", own: "FLEETD_DOCKER_HOST", shared: []string{"DOCKER_HOST"}}
	specBus           = spec{key: "bus", own: "FLEETD_BUS"}
	specBusSocket     = spec{key: "bus-socket", own: "FLEETD_BUS_SOCKET", shared: []string{"DECNET_BUS_SOCKET"}}
	specHostUUID      = spec{key: "host-uuid", own: "FLEETD_HOST_UUID"}
	specStateDir      = spec{key: "state-dir", own: "FLEETD_STATE_DIR"}
	specControlSocket = spec{key: "control-socket", own: "FLEETD_CONTROL_SOCKET"}
	specInterval      = spec{key: "interval", own: "FLEETD_INTERVAL"}
	specLogLevel      = spec{key: "log-level", own: "FLEETD_LOG_LEVEL"}
	specLogFormat     = spec{key: "log-format", own: "FLEETD_LOG_FORMAT"}
	specNoWait        = spec{key: "no-wait", own: "FLEETD_NO_WAIT"}
	specTakeover      = spec{key: "takeover", own: "FLEETD_TAKEOVER"}
	specBusStop       = spec{key: "bus-stop", own: "FLEETD_BUS_STOP"}
	specBusReplay     = spec{key: "bus-replay", own: "FLEETD_BUS_REPLAY"}
	specAdmins        = spec{key: "admins", own: "FLEETD_ADMINS"}
	specConsoleListen = spec{key: "console-listen", own: "FLEETD_CONSOLE_LISTEN"}
	specConsoleCert   = spec{key: "console-cert", own: "FLEETD_CONSOLE_CERT"}
	specConsoleKey    = spec{key: "console-key", own: "FLEETD_CONSOLE_KEY"}
	specConsoleCA     = spec{key: "console-client-ca", own: "FLEETD_CONSOLE_CLIENT_CA"}
	specSystemLog     = spec{key: "system-log", shared: []string{"DECNET_SYSTEM_LOGS"}}

	// What DECNET says in other words.
	specBusEnabled = spec{key: "bus", shared: []string{"DECNET_BUS_ENABLED"}}
	specBusType    = spec{key: "bus", shared: []string{"DECNET_BUS_TYPE"}}
	specDeveloper  = spec{key: "log-level", shared: []string{"DECNET_DEVELOPER"}}
	specDBType     = spec{key: "database", shared: []string{"DECNET_DB_TYPE"}}
	specDBURL      = spec{key: "database", shared: []string{"DECNET_DB_URL"}, secret: true}
	specDBHost     = spec{key: "database", shared: []string{"DECNET_DB_HOST"}}
	specDBPort     = spec{key: "database", shared: []string{"DECNET_DB_PORT"}}
	specDBName     = spec{key: "database", shared: []string{"DECNET_DB_NAME"}}
	specDBUser     = spec{key: "database", shared: []string{"DECNET_DB_USER"}}
	specDBPassword = spec{key: "database", shared: []string{"DECNET_DB_PASSWORD"}, credential: "db-password", secret: true}
)

// explicit are the places above DECNET's own configuration, inherited those of it.
func (l *loader) explicit(s spec) []candidate {
	var out []candidate
	if v, ok := l.in.Flags[s.key]; ok && !s.foreign() {
		out = append(out, candidate{v, "flag --" + s.key, layerFlag})
	}
	out = l.variable(out, s.own, layerOwn)
	return append(out, l.secrets(s)...)
}

// foreign: the setting is DECNET's word for one of ours; the flag of the key is not its flag.
func (s spec) foreign() bool { return s.own == "" }

func (l *loader) inherited(s spec) []candidate {
	var out []candidate
	for _, name := range s.shared {
		out = l.variable(out, name, layerShared)
	}
	for _, name := range s.shared {
		c, ok, err := l.ini.lookup(name)
		if err != nil {
			l.fault(c.source, err.Error(), "")
		}
		if ok {
			out = append(out, c)
		}
	}
	for _, name := range append([]string{s.own}, s.shared...) {
		if c, ok := l.dotenv.lookup(name); ok && name != "" {
			out = append(out, c)
		}
	}
	return out
}

// candidates are all that is said about a setting, best first.
func (l *loader) candidates(s spec) []candidate { return append(l.explicit(s), l.inherited(s)...) }

// oursCount says whether the best of what is said in our own words counts before all that DECNET's say.
func oursCount(ours, theirs []candidate) bool {
	return len(ours) > 0 && !slices.ContainsFunc(theirs, func(c candidate) bool { return c.layer < ours[0].layer })
}

func (l *loader) variable(to []candidate, name string, from layer) []candidate {
	if name == "" {
		return to
	}
	if v, ok := l.in.env(name); ok {
		to = append(to, candidate{v, "env " + name, from})
	}
	return to
}

// secrets are what files outside the environment say: a systemd credential, then NAME_FILE.
func (l *loader) secrets(s spec) []candidate {
	var out []candidate
	if dir, ok := l.in.env("CREDENTIALS_DIRECTORY"); ok && s.credential != "" {
		if raw, ok := l.file(l.abs(dir) + "/" + s.credential); ok {
			out = append(out, candidate{strings.TrimRight(string(raw), "\r\n"), "credential " + s.credential, layerCredential})
		}
	}
	if !s.secret {
		return out
	}
	for _, name := range append([]string{s.own}, s.shared...) {
		path, ok := l.in.env(name + "_FILE")
		if !ok || name == "" {
			continue
		}
		raw, err := l.in.read(l.abs(path))
		if err != nil {
			l.fault(s.key+" (env "+name+"_FILE)", "cannot read "+path+": "+err.Error(), "name a readable file or unset it")
			continue
		}
		out = append(out, candidate{strings.TrimRight(string(raw), "\r\n"), "file " + path, layerCredential})
	}
	return out
}
