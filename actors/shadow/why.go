package shadow

import (
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// Why a change of the reference's is none of ours, or the other way round. The codes beginning with D are the numbers of
// DECNET's defects in docs/PARITY.md; codes are a closed set, they are counted.
const (
	codeDrift = "D3"
	whyDrift  = "the reference never corrects the configuration of a row that is there"
)

// objection says why we would not have made this change; "" if there is nothing against it.
func objection(r record, s sight, action string, p Policy) (code, why string) {
	if h := r.before.held; h != nil && sameKind(h.What, action) {
		return holdCode(action), "we hold it: " + h.Why
	}
	switch action {
	case messages.DeleteRow.String():
		return againstDelete(s)
	case messages.InsertRow.String():
		if code, why = againstInsert(s); code != "" {
			return code, why
		}
	}
	return againstState(r, s, p)
}

// sameKind: what is held is named by its transition.
func sameKind(held, action string) bool {
	return held == action || held == messages.TransitionStateChanged && action == messages.UpdateRow.String()
}

func holdCode(action string) string {
	switch action {
	case messages.DeleteRow.String():
		return "D14" // deletes without a witness
	case messages.InsertRow.String():
		return "D12" // brings back a row in the middle of a teardown
	}
	return "D10" // writes states in the middle of a deploy
}

func againstDelete(s sight) (code, why string) {
	switch s.declared {
	case messages.Present.String():
		return "D10", "it is declared: the row was taken away before the file said so, or while it was written"
	case messages.Unknown.String():
		return "D14", "what the file says about it is unknown to us"
	}
	return "", ""
}

func againstInsert(s sight) (code, why string) {
	switch {
	case s.declared == messages.Absent.String():
		return "D12", "it is not declared: the row comes back, or was put there by somebody else"
	case s.declared == messages.Unknown.String():
		return "D17", "its entry in the file is rejected by us"
	}
	return "", ""
}

// againstState compares the state that was written with what the containers added up to, now or a moment ago: the reference
// looks, then writes row by row.
func againstState(r record, s sight, p Policy) (code, why string) {
	recent := r.was == s.row && s.now.Sub(r.wasTil) < p.Grace
	switch {
	case s.row == s.aggregate || recent:
		return "", ""
	case s.observed == messages.Unknown.String():
		return "unobserved", "Docker's containers are unknown to us: we write no state of them"
	case slices.Contains(s.services, "smtp_relay"):
		return "D5", "it looks for smtp-relay, the container is called smtp_relay: ours add up to " + s.aggregate
	case slices.Contains(s.services, "sniffer"):
		return "D4", "it waits for a container of sniffer, which has none: ours add up to " + orNothing(s.aggregate)
	}
	return "state", "our containers add up to " + orNothing(s.aggregate) +
		": it took others for them (D21), or a command of DECNET's wrote the row"
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// neverDone says why the reference may not have done what we would have.
func neverDone(i *intent, s sight) (code, why string) {
	switch {
	case i.action == configure:
		return codeDrift, whyDrift
	case i.action == messages.InsertRow.String() && s.plan != nil && strings.Contains(s.plan.Name, "."):
		return "D6", "a dot in the name ends the reference's tick"
	case i.action == messages.UpdateRow.String() && slices.Contains(s.services, "smtp_relay"):
		return "D5", "it looks for smtp-relay, the container is called smtp_relay"
	case i.action == messages.UpdateRow.String() && slices.Contains(s.services, "sniffer"):
		return "D4", "it waits for a container of sniffer, which has none"
	}
	return "never", "the reference has not done it in its time: is it running?"
}
