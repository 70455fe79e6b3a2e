package metrics

import "github.com/decnet/decnet-fleetd/messages"

// Label values come from closed sets: the column state may hold any text, and a label value is kept for ever.

// states are shown even where no decky has them: a rule that watches one needs a 0.
var states = []string{string(messages.Running), string(messages.Degraded), string(messages.Failed), string(messages.TornDown),
	string(messages.Pending), unrecorded, other}

const (
	unrecorded = "unrecorded" // declared, without a row
	other      = "other"      // any text that we never write
)

func stateWord(s string) string { return oneOf(s, states) }

func oneOf(s string, words []string) string {
	for _, w := range words {
		if s == w {
			return w
		}
	}
	return other
}
