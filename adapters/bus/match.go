package bus

import "strings"

// Match says whether a topic matches a pattern. Both are split at dots; * stands for exactly one token that is not
// empty, > for everything that remains (and for an empty remainder too); what follows a > in a pattern is ignored.
// All other tokens are compared byte for byte and may be empty.
func Match(pattern, topic string) bool {
	topicLeft := true
	for {
		want, restOfPattern, more := strings.Cut(pattern, ".")
		if want == ">" {
			return topicLeft
		}
		if !topicLeft {
			return false
		}
		have, restOfTopic, left := strings.Cut(topic, ".")
		if want == "*" && have == "" || want != "*" && want != have {
			return false
		}
		if !more {
			return !left
		}
		pattern, topic, topicLeft = restOfPattern, restOfTopic, left
	}
}
