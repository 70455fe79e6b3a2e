package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
	"unicode/utf8"
)

// Load finds the settings and where each came from. The error is an *Invalid with every fault there is; the origins are
// complete even then, a setting at fault has its default. Settings are usable only without an error.
func Load(in Input) (Settings, []Origin, error) {
	l := &loader{in: in}
	l.set.InstallDir = l.path(specInstallDir, DefaultInstallDir)
	l.readFiles()
	l.set.Role = l.role()
	l.places()
	l.behaviour()
	l.swarm()
	l.noteSecrets()
	l.set.Origins = l.origins
	if len(l.faults) > 0 {
		return l.set, l.origins, &Invalid{Faults: l.faults}
	}
	return l.set, l.origins, nil
}

// loader collects while it goes through the settings.
type loader struct {
	in      Input
	ini     *iniSource
	dotenv  *dotenv
	set     Settings
	origins []Origin
	faults  []Fault
	// hidden are files that are there and cannot be read: whatever they say is not in force.
	hidden []string
}

func (l *loader) readFiles() {
	path, named := l.in.env("DECNET_CONFIG")
	if !named {
		path = DefaultFile
	}
	path = l.abs(path)
	if raw, ok := l.file(path); ok {
		ini, err := newINISource(path, string(raw))
		if err != nil {
			l.fault(path, err.Error(), "DECNET does not start with it either; correct it")
		}
		l.ini = ini
	} else if named && !l.in.Exists(path) {
		l.warn("DECNET_CONFIG names " + path + ", which is not there")
	}
	path = filepath.Join(l.set.InstallDir, ".env.local")
	if raw, ok := l.file(path); ok && utf8.Valid(raw) {
		l.dotenv = parseDotenv(path, string(raw), l.in.LookupEnv)
		if skipped := l.dotenv.skipped(); skipped != "" {
			l.warn(skipped)
		}
	} else if ok {
		l.fault(path, "is not UTF-8", "DECNET does not start with it either; correct it")
	}
}

// file reads a file that need not be there.
func (l *loader) file(path string) ([]byte, bool) {
	raw, err := l.in.read(path)
	switch {
	case err == nil:
		return raw, true
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrPermission):
		l.hidden = append(l.hidden, path)
		l.warn("no permission to read " + path + ": what it says is not in force")
	default:
		l.fault(path, "cannot be read: "+err.Error(), "make it a readable file or take it away")
	}
	return nil, false
}

func (l *loader) places() {
	s := &l.set
	s.StateFile = l.path(specStateFile, l.inInstall(specStateFile, "decnet-state.json"))
	if s.Role != RoleWorker {
		s.Database = l.database()
	}
	s.CreateSchema = l.flag(specCreateSchema)
	s.DockerHost = choose(l, specDockerHost, DefaultDockerHost, dockerHost)
	s.Bus = l.busMode()
	s.BusSocket = l.busSocket()
	s.HostUUID = l.hostUUID()
	s.StateDir = l.path(specStateDir, l.stateDir())
	if s.Role == RoleWorker {
		s.Database, s.CreateSchema = l.workerDatabase(), true
	}
	s.ControlSocket = l.socket(specControlSocket, l.controlSocket())
	s.SystemLog = l.path(specSystemLog, "")
}

func (l *loader) behaviour() {
	s := &l.set
	s.Interval = choose(l, specInterval, DefaultInterval, interval)
	s.LogLevel = l.logLevel()
	s.LogFormat = choose(l, specLogFormat, l.logFormat(), oneOf("json", "console", "rfc5424", "journal"))
	s.NoWait = l.flag(specNoWait)
	s.Takeover = l.flag(specTakeover)
	s.IgnoreBusStop = choose(l, specBusStop, "obey", oneOf("obey", "ignore")) == "ignore"
	s.BusReplay = choose(l, specBusReplay, 0, replay)
	s.Admins = choose(l, specAdmins, "", users)
	l.console()
}

// noteSecrets says where a password lies open: every process of the user can read another's environment.
func (l *loader) noteSecrets() {
	if _, ok := l.in.env("DECNET_DB_PASSWORD"); ok {
		l.warn("DECNET_DB_PASSWORD is in the environment; a systemd credential db-password or db-url keeps it out")
	}
}

func (l *loader) abs(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.in.WorkDir, path)
}

func (l *loader) warn(text string) { l.set.Warnings = append(l.set.Warnings, text) }

func (l *loader) fault(where, what, remedy string) {
	l.faults = append(l.faults, Fault{Where: where, What: what, Remedy: remedy})
}

func (l *loader) bad(s spec, c candidate, want string) {
	l.faults = append(l.faults, badValue(s.key, c, want))
}

// note puts a setting into the table of origins. rest are the places that lost.
func (l *loader) note(key string, value any, source string, rest []candidate) {
	if d, is := value.(time.Duration); is && d == 0 {
		value = "off"
	}
	o := Origin{Key: key, Value: Mask(fmt.Sprint(value)), Source: source, Overrides: []string{}}
	for _, c := range rest {
		o.Overrides = append(o.Overrides, c.source+": "+Mask(c.value))
	}
	l.origins = append(l.origins, o)
}
