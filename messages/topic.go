package messages

import "strings"

// Bus topics and types, as DECNET spells them.
const (
	HealthTopic  = "system.reconciler.health"
	HealthType   = "health"
	ControlTopic = "system.reconciler.control"
	StateType    = "state"
	// StatePattern matches every decky's state topic: a wildcard is a whole token, so no pattern selects one host.
	StatePattern = "decky.*.state"
	// WorkerName is the name DECNET's worker registry knows a reconciler by; any other would be dropped.
	WorkerName = "reconciler"
)

// StateTopic is where a decky's transitions are published. Bytes that are illegal in a token are written %XX.
func StateTopic(hostUUID, name string) string {
	return "decky." + Token(hostUUID+":"+name) + ".state"
}

// Token makes s a single topic token: dots, wildcards, white space, control bytes, non-ASCII and % become %XX.
func Token(s string) string {
	clean := true
	for i := range len(s) {
		if illegal(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if illegal(c) {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

func illegal(c byte) bool {
	return c <= ' ' || c >= 0x7f || c == '.' || c == '*' || c == '>' || c == '%'
}
