package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// Role says which part of a swarm the daemon plays.
type Role string

// The three roles.
const (
	RoleSolo   Role = "solo"   // this host alone
	RoleWorker Role = "worker" // reconciles its own host and ships what it commits to a hub
	RoleHub    Role = "hub"    // the master's: mirrors and announces what workers ship, beside its own host
)

// DefaultSwarmPort is where a hub listens. Chosen: the next to DECNET's own 8765, 8766 and 8770.
const DefaultSwarmPort = "8771"

var (
	specRole           = spec{key: "role", own: "FLEETD_ROLE"}
	specHub            = spec{key: "hub", own: "FLEETD_HUB"}
	specHubFingerprint = spec{key: "hub-fingerprint", own: "FLEETD_HUB_FINGERPRINT"}
	specSwarmListen    = spec{key: "swarm-listen", own: "FLEETD_SWARM_LISTEN"}
	specAgentDir       = spec{key: "agent-dir", own: "FLEETD_AGENT_DIR", shared: []string{"DECNET_AGENT_DIR"}}
	specAgentUnit      = spec{key: "agent-unit", own: "FLEETD_AGENT_UNIT"}
	specMasterDir      = spec{key: "master-dir", own: "FLEETD_MASTER_DIR"}

	// What DECNET's enrolment wrote into section [agent].
	specEnrolledAs = spec{key: "host-uuid", shared: []string{"DECNET_HOST_UUID"}}
	specMasterHost = spec{key: "hub", shared: []string{"DECNET_MASTER_HOST"}}
)

// DefaultAgentUnit is the unit of DECNET's agent. Source: its enrolment bundle.
const DefaultAgentUnit = "/etc/systemd/system/decnet-agent.service"

func (l *loader) role() Role {
	return choose(l, specRole, RoleSolo, func(v string) (Role, string) {
		word, want := oneOf(string(RoleSolo), string(RoleWorker), string(RoleHub))(v)
		return Role(word), want
	})
}

// swarm finds what only hubs and workers need. What makes no sense in a role is a fault where it was said in our own
// words; what DECNET says of its own is passed over.
func (l *loader) swarm() {
	s := &l.set
	s.Hub = l.hub()
	s.HubFingerprint = choose(l, specHubFingerprint, "", fingerprint)
	s.SwarmListen = choose(l, specSwarmListen, l.listenPreset(), listenAddress)
	s.AgentDir = l.path(specAgentDir, l.agentDir())
	s.AgentUnit = l.path(specAgentUnit, DefaultAgentUnit)
	s.MasterDir = l.path(specMasterDir, l.in.MasterDir)
	l.onlyFor(RoleWorker, specHub, specHubFingerprint, specAgentDir, specAgentUnit)
	l.onlyFor(RoleHub, specSwarmListen, specMasterDir)
	if s.Role != RoleWorker || l.in.Client {
		return
	}
	for _, own := range []spec{specDatabase, specCreateSchema} {
		if c := l.explicit(own); len(c) > 0 && (own.key != specCreateSchema.key || c[0].value != "false") {
			l.fault(own.key+" ("+c[0].source+")", "is of no use to a worker: it keeps a database of its own in the state directory", "take it out")
		}
	}
	if s.Hub == "" && len(l.candidates(specHub)) == 0 {
		l.fault(specHub.key, "is not named, and a worker needs one", "give --hub tls://MASTER:"+DefaultSwarmPort+", or [agent] master-host in decnet.ini")
	}
	if !messages.ValidHostUUID(s.HostUUID) {
		l.fault(specHostUUID.key, "is "+quoted(s.HostUUID)+", and a worker needs the uuid it is enrolled under",
			"enrol the host, so that decnet.ini has [decnet] mode = agent and [agent] host-uuid, or give --host-uuid")
	}
}

func (l *loader) listenPreset() string {
	if l.set.Role == RoleHub {
		return "0.0.0.0:" + DefaultSwarmPort
	}
	return ""
}

func (l *loader) agentDir() string {
	if l.in.AgentDir == nil {
		return ""
	}
	return l.in.AgentDir()
}

// onlyFor faults settings that somebody made for another role.
func (l *loader) onlyFor(role Role, specs ...spec) {
	if l.set.Role == role || l.in.Client {
		return
	}
	for _, s := range specs {
		if c := l.explicit(s); len(c) > 0 {
			l.fault(s.key+" ("+c[0].source+")", "is for the role "+string(role)+", and this is "+string(l.set.Role), "give --role "+string(role)+" or take it out")
		}
	}
}

// hostUUID: a worker is who its enrolment says. Elsewhere DECNET's word for every host is local.
func (l *loader) hostUUID() string {
	ours := l.candidates(specHostUUID)
	if l.set.Role != RoleWorker {
		return chooseFrom(l, specHostUUID, ours, DefaultHostUUID, hostID)
	}
	return chooseFrom(l, specHostUUID, slices.Concat(ours, l.inherited(specEnrolledAs)), DefaultHostUUID, hostID)
}

func (l *loader) hub() string {
	ours, master := l.candidates(specHub), l.inherited(specMasterHost)
	if len(ours) > 0 || len(master) == 0 || l.set.Role != RoleWorker {
		return chooseFrom(l, specHub, ours, "", hubURL)
	}
	return chooseFrom(l, specHub, master, "", func(v string) (string, string) {
		if v == "" || strings.ContainsAny(v, "/ @?#") {
			return "", "the name or address of the master"
		}
		return "tls://" + net.JoinHostPort(strings.Trim(v, "[]"), DefaultSwarmPort), ""
	})
}

func hubURL(v string) (string, string) {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "tls" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || port(u.Port()) != "" {
		return "", "tls://host:port"
	}
	return "tls://" + u.Host, ""
}

func fingerprint(v string) (string, string) {
	v = strings.ToLower(strings.ReplaceAll(v, ":", ""))
	if len(v) != 64 || strings.Trim(v, "0123456789abcdef") != "" {
		return "", "the 64 hex digits of the SHA-256 of the hub's certificate"
	}
	return v, ""
}

func listenAddress(v string) (string, string) {
	const want = "host:port, like 0.0.0.0:" + DefaultSwarmPort
	_, p, err := net.SplitHostPort(v)
	if err != nil || port(p) != "" {
		return "", want
	}
	return v, ""
}

// port says what is wrong with one.
func port(p string) string {
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
		return "a port from 1 to 65535"
	}
	return ""
}

// workerDatabase is a worker's own: nobody else has it.
func (l *loader) workerDatabase() string {
	u := "sqlite://" + (&url.URL{Path: l.set.StateDir + "/worker.db"}).EscapedPath()
	l.note(specDatabase.key, u, "role worker", nil)
	return u
}
