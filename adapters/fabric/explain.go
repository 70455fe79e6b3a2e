package fabric

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/decnet/decnet-fleetd/messages"
)

// attempt is what is known of a connection that did not come about, or ended.
type attempt struct {
	hub     string
	own     *x509.Certificate // nil: not read
	ownPath string
	err     error
	now     time.Time
}

// explain says what is wrong and who has to do what. It chooses nothing but words and the phase.
func explain(a attempt) (messages.LinkPhase, messages.Fault) {
	var (
		file messages.Fault
		hub  *hubFault
		wire *wireFault
		tlsf *tlsFault
	)
	switch {
	case errors.As(a.err, &file):
		return messages.LinkRefused, file
	case errors.As(a.err, &hub):
		return messages.LinkRefused, explainHub(a, hub)
	case errors.As(a.err, &wire):
		return messages.LinkRefused, messages.Fault{Where: a.hub, What: wire.Error(), Remedy: "upgrade the older of the two: neighbouring versions understand each other"}
	case errors.Is(a.err, errAlert):
		return messages.LinkRefused, explainAlert(a)
	case errors.As(a.err, &tlsf) && errors.As(a.err, new(tls.RecordHeaderError)):
		return messages.LinkRefused, messages.Fault{Where: a.hub, What: "does not speak TLS", Remedy: "give the address of the hub's --swarm-listen"}
	case errors.Is(a.err, nats.ErrAuthorization) || strings.Contains(a.err.Error(), "Authorization Violation"):
		return messages.LinkRefused, messages.Fault{Where: a.hub, What: "another process uses this host's certificate and is alive",
			Remedy: "stop it, or enrol the host that was cloned anew; the hub's audit names its address"}
	}
	return messages.LinkAway, messages.Fault{Where: a.hub, What: "cannot be reached: " + a.err.Error(), Remedy: "it is tried again by itself; check the hub and the way to it"}
}

func explainHub(a attempt, f *hubFault) messages.Fault {
	out := messages.Fault{Where: a.hub}
	cn := quoted(f.cert.Subject.CommonName)
	switch f.reason {
	case messages.RefusedExpired:
		out.What = "its certificate (" + cn + ") ended on " + day(f.cert.NotAfter)
		out.Remedy = "renew the master's certificate; the hub takes a new file without a restart"
	case messages.RefusedNotYetValid:
		out.What = "its certificate (" + cn + ") begins on " + day(f.cert.NotBefore)
		out.Remedy = "set the clocks of both hosts"
	case hubOtherPin:
		out.What = "its certificate (" + cn + ") has the fingerprint " + Fingerprint(f.cert) + ", not the pinned one"
		out.Remedy = "compare with the master's certificate, and if it was renewed, give --hub-fingerprint anew"
	case hubOtherName:
		out.What = "it is not the master: its certificate is of " + cn
		out.Remedy = "give the master's address; or, if this certificate is meant, --hub-fingerprint " + Fingerprint(f.cert)
	case messages.RefusedUsage:
		out.What = "its certificate (" + cn + ") is not for servers"
		out.Remedy = "run the hub with the master's certificate"
	default:
		out.What = "its certificate (" + cn + ") is signed by another authority than ours"
		out.Remedy = "check the address, and that ca.crt is that of this master: enrol this host again if it is not"
	}
	return out
}

// explainAlert is about a hub that took the handshake and then refused our certificate. TLS gives one word for all
// reasons but the hub's audit has the right one.
func explainAlert(a attempt) messages.Fault {
	out := messages.Fault{Where: a.hub}
	switch {
	case a.own == nil:
		out.What = "refused our certificate"
	case a.now.After(a.own.NotAfter):
		out.What = "refused our certificate: it ended on " + day(a.own.NotAfter)
		out.Remedy = "enrol this host again; the new files are taken without a restart"
		return out
	case a.now.Before(a.own.NotBefore):
		out.What = "refused our certificate: it begins on " + day(a.own.NotBefore)
		out.Remedy = "set the clock of this host"
		return out
	default:
		if reason, _ := roleOf(a.own); reason != "" {
			out.What = "refused our certificate: " + a.ownPath + " is of " + quoted(a.own.Subject.CommonName) + ", which is no worker's"
			out.Remedy = "use worker.crt and worker.key of the agent's directory"
			return out
		}
		out.What = fmt.Sprintf("refused our certificate %s (%s): this host is not enrolled there, was decommissioned, or enrolled again with another certificate",
			Fingerprint(a.own), quoted(a.own.Subject.CommonName))
	}
	out.Remedy = "compare it with client_cert_fingerprint of this host in the master's swarm_hosts, and enrol the host again; the hub's audit names the reason"
	return out
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
