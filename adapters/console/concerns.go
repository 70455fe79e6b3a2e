package console

import (
	"fmt"
	"math"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// From when on somebody should know. Sources: DECNET issues certificates for 825 days and renews none; Kerberos, and logs
// that are compared, stand five minutes, but a second is more than NTP ever leaves.
const (
	expiresSoon = 30 * 24 * time.Hour
	skewMost    = time.Second
	lagMuch     = 1000 // chosen: what a hub takes from a host within a second
)

// Concerns are what somebody should know of a member, each with what to do about it, the worst first.
func Concerns(m messages.Member, now time.Time) []string {
	var out []string
	if err := reachable(m, now); err != nil && m.Status != messages.MemberLeft {
		out = append(out, whyOf(m, err)+": "+awayHint(m))
	}
	if m.Status == messages.MemberGone {
		return out // what it was matters no more
	}
	left := m.CertExpires.Sub(now)
	switch {
	case m.CertExpires.IsZero():
	case left <= 0:
		out = append(out, "its certificate has expired: "+renewHint(m))
	case left < expiresSoon:
		out = append(out, fmt.Sprintf("its certificate expires in %d days: %s", int(left.Hours()/24), renewHint(m)))
	}
	if m.Skewed {
		out = append(out, "it runs version "+m.Version+", another than the hub: neighbours of one version understand one another, bring them together")
	}
	if s := math.Abs(m.SkewSeconds); s >= skewMost.Seconds() {
		out = append(out, fmt.Sprintf("its clock differs by %.1fs: see that both keep time (timedatectl)", s))
	}
	if m.Lag >= lagMuch {
		out = append(out, fmt.Sprintf("%d transitions are not delivered yet: it catches up by itself once it reaches the hub", m.Lag))
	}
	if m.Refused > 0 {
		out = append(out, fmt.Sprintf("the hub has refused %d of its transitions: decnet-fleetd audit, and the hub's log, say which", m.Refused))
	}
	if m.Health != "" {
		out = append(out, "it says that it is "+m.Health+": decnet-fleetd --node "+m.Name+" status")
	}
	return out
}

// renewHint is how a member comes by a new certificate: a worker is enrolled, the hub is not.
func renewHint(m messages.Member) string {
	if m.Role == "hub" {
		return "have DECNET's authority issue the master's certificate anew; the new files are taken without a restart"
	}
	return "enrol it again in DECNET; the new files are taken without a restart"
}

// whyOf is why a member cannot be asked, without its name.
func whyOf(m messages.Member, err error) string {
	text := err.Error()
	if n := len(m.Name) + 1; len(text) > n {
		return "it " + text[n:]
	}
	return text
}
