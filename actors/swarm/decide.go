package swarm

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Silence of a worker. Source: beats come each second; three lost ones are a reason to look, five are no accident.
const (
	SuspectAfter = 3 * time.Second
	StaleAfter   = 5 * time.Second
)

// signs are what the judgement of one host rests on.
type signs struct {
	enrolled bool
	heard    bool          // since this hub started
	left     bool          // it said goodbye, and nothing since
	silent   time.Duration // since the last message of any kind; by the hub's monotonic clock
}

// judge says how a host is doing.
func judge(s signs) messages.MemberStatus {
	switch {
	case !s.enrolled:
		return messages.MemberGone
	case !s.heard:
		return messages.MemberNever
	case s.left:
		return messages.MemberLeft
	case s.silent >= StaleAfter:
		return messages.MemberStale
	case s.silent >= SuspectAfter:
		return messages.MemberSuspect
	}
	return messages.MemberUp
}

// old says that what is known of the deckies of a host may be old.
func old(s messages.MemberStatus) bool {
	switch s {
	case messages.MemberStale, messages.MemberNever, messages.MemberGone, messages.MemberLeft:
		return true
	case messages.MemberUp, messages.MemberSuspect:
	}
	return false
}

// newsworthy says that a change is told. That a host has not been heard yet, as this hub has just started, is no news.
func newsworthy(was, is messages.MemberStatus) bool {
	return was != is && is != messages.MemberNever && (was != "" || is != messages.MemberGone)
}

// wordOf is what the event list calls the change.
func wordOf(was, is messages.MemberStatus) string {
	if is == messages.MemberUp && (was == messages.MemberSuspect || was == messages.MemberStale) {
		return "back"
	}
	return string(is)
}
