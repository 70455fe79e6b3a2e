package config

import (
	"strings"
	"testing"
)

const enrolledINI = "[decnet]\nmode = agent\n[agent]\nhost-uuid = 11111111-2222-3333-4444-555555555555\nmaster-host = 10.0.0.1\n"

func TestAWorkerIsWhoItsEnrolmentSaysAndKeepsItsOwnDatabase(t *testing.T) {
	w := world{root: true, flags: map[string]string{"role": "worker"}, files: map[string]string{DefaultFile: enrolledINI}}
	s, origins := w.load(t)
	if s.HostUUID != "11111111-2222-3333-4444-555555555555" || s.Hub != "tls://10.0.0.1:8771" || s.Bus != BusOff ||
		s.Database != "sqlite:///var/lib/decnet-fleetd/worker.db" || s.SwarmListen != "" {
		t.Errorf("settings are %+v", s)
	}
	for key, want := range map[string]string{"role": "flag --role", "host-uuid": "[agent] host-uuid", "hub": "[agent] master-host", "database": "role worker", "bus": "role worker"} {
		if !strings.HasSuffix(origins[key].Source, want) {
			t.Errorf("%s comes from %q, want %q", key, origins[key].Source, want)
		}
	}
}

func TestAnEnrolledHostThatRunsAloneIsStillLocal(t *testing.T) {
	s, _ := world{root: true, files: map[string]string{DefaultFile: enrolledINI}}.load(t)
	if s.Role != RoleSolo || s.HostUUID != "local" || s.Hub != "" {
		t.Errorf("settings are %+v", s)
	}
}

func TestAWorkersBusIsOnWhereOneIsConfigured(t *testing.T) {
	for name, flags := range map[string]map[string]string{"by flag": {"role": "worker", "bus": "unix"}, "by DECNET": {"role": "worker"}} {
		w := world{root: true, flags: flags, files: map[string]string{DefaultFile: enrolledINI}}
		if name == "by DECNET" {
			w.env = map[string]string{"DECNET_BUS_ENABLED": "true"}
		}
		if s, _ := w.load(t); s.Bus != BusUnix {
			t.Errorf("%s: the bus is %s", name, s.Bus)
		}
	}
}

func TestAHubListensAndIsItsOwnHostAsBefore(t *testing.T) {
	s, _ := world{root: true, flags: map[string]string{"role": "hub"}}.load(t)
	if s.SwarmListen != "0.0.0.0:8771" || s.HostUUID != "local" || s.Bus != BusUnix || s.Hub != "" {
		t.Errorf("settings are %+v", s)
	}
}

func TestWrongCombinationsOfRoleAndSettingsAreRefusedWithARemedy(t *testing.T) {
	for name, c := range map[string]struct {
		flags map[string]string
		ini   string
		want  string
	}{
		"no such role":                            {map[string]string{"role": "boss"}, "", "solo, worker or hub"},
		"a worker without a hub":                  {map[string]string{"role": "worker", "host-uuid": "11111111-2222-3333-4444-555555555555"}, "", "give --hub tls://"},
		"a worker that is not enrolled":           {map[string]string{"role": "worker", "hub": "tls://m:1"}, "", "enrol the host"},
		"a worker with DECNET's database":         {map[string]string{"role": "worker", "database": "sqlite:///x.db"}, enrolledINI, "database (flag --database): is of no use to a worker"},
		"a worker that listens":                   {map[string]string{"role": "worker", "swarm-listen": ":1"}, enrolledINI, "for the role hub"},
		"a hub of a host that runs alone":         {map[string]string{"hub": "tls://m:1"}, "", "for the role worker"},
		"a hub with a hub":                        {map[string]string{"role": "hub", "hub": "tls://m:1"}, "", "for the role worker"},
		"a hub without a port":                    {map[string]string{"role": "worker", "hub": "tls://m"}, enrolledINI, "tls://host:port"},
		"a hub over http":                         {map[string]string{"role": "worker", "hub": "https://m:1"}, enrolledINI, "tls://host:port"},
		"a fingerprint that is none":              {map[string]string{"role": "worker", "hub-fingerprint": "aa"}, enrolledINI, "64 hex digits"},
		"a place to listen that is none":          {map[string]string{"role": "hub", "swarm-listen": "8771"}, "", "host:port"},
		"an enrolment whose mode is the master's": {map[string]string{"role": "worker", "hub": "tls://m:1"}, strings.Replace(enrolledINI, "agent\n", "master\n", 1), "mode = agent"},
	} {
		w := world{root: true, flags: c.flags}
		if c.ini != "" {
			w.files = map[string]string{DefaultFile: c.ini}
		}
		if got := w.fault(t); !strings.Contains(got, c.want) {
			t.Errorf("%s: the fault is %q, want %q", name, got, c.want)
		}
	}
}
