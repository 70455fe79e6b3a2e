package deckyconfig

import (
	"fmt"
	"math"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// MaxName is the longest name, in bytes. DECNET's INI files allow as much; it fits a container's name, a topic
	// token with every byte escaped, and the key column of every database.
	MaxName = 128
	// maxIP is the width of the column decky_ip on MySQL, where it is VARCHAR(255).
	maxIP = 255
	// maxDigits is the longest integer Python reads from text (its default limit since 3.11).
	maxDigits = 4300
)

// CheckName says what is wrong with a decky's name, "" if nothing is. A name has 1 to MaxName bytes and no control
// character; DECNET itself has no rule, so spaces, dots and any script are fine.
func CheckName(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > MaxName:
		return fmt.Sprintf("has %d bytes, more than %d", len(s), MaxName)
	case hasControl([]byte(s)):
		return fmt.Sprintf("has a control character: %q", s)
	}
	return ""
}

func hasControl(s []byte) bool {
	for _, c := range s {
		if c < ' ' || c == 0x7f {
			return true
		}
	}
	return false
}

// check judges one field. The error is a messages.Fault.
func check(id fieldID, v pyjson.Value) error {
	m := &model[id]
	if v.Kind() == 0 {
		if m.absent != "" {
			return nil
		}
		return messages.Fault{Where: m.key, What: "is missing", Remedy: "add it, or let DECNET write the file again"}
	}
	if !v.Whole() {
		return messages.Fault{Where: m.key, What: "has a lone surrogate (half of a \\u pair), which cannot be stored",
			Remedy: "write the character whole"}
	}
	switch m.shape {
	case text, textOrNull:
		return checkText(id, v)
	case texts:
		return checkServices(m.key, v)
	case objects:
		return checkObjects(m.key, v)
	case integer:
		if v.Kind() != pyjson.Int && v.Kind() != pyjson.Null {
			return fault(m.key, wrongType(v, "an integer or null"))
		}
	case floatingTime:
		if !isFloat(v) {
			return fault(m.key, wrongType(v, "a number"))
		}
	}
	return checkDigits(m.key, v)
}

func checkText(id fieldID, v pyjson.Value) error {
	m := &model[id]
	if v.Kind() == pyjson.Null && m.shape == textOrNull {
		return nil
	}
	if v.Kind() != pyjson.String {
		want := "a string"
		if m.shape == textOrNull {
			want = "a string or null"
		}
		return messages.Fault{Where: m.key, What: wrongType(v, want), Remedy: "put it in double quotes"}
	}
	if id == name {
		if what := CheckName(string(v.Text())); what != "" {
			return messages.Fault{Where: m.key, What: what,
				Remedy: fmt.Sprintf("rename the decky: 1 to %d bytes without control characters", MaxName)}
		}
	}
	// The address has a column of its own: what no database takes would block the whole batch.
	if id == ip && (len(v.Text()) > maxIP || hasControl(v.Text())) {
		return fault(m.key, fmt.Sprintf("has more than %d bytes or a control character", maxIP))
	}
	return nil
}

func checkServices(key string, v pyjson.Value) error {
	const remedy = `write a list of names, as in ["ssh", "http"]`
	if v.Kind() != pyjson.Array {
		return messages.Fault{Where: key, What: wrongType(v, "a list of strings"), Remedy: remedy}
	}
	n := 0
	for i, s := range v.Elements() {
		if s.Kind() != pyjson.String {
			return messages.Fault{Where: fmt.Sprintf("%s[%d]", key, i), What: wrongType(s, "a string"), Remedy: remedy}
		}
		n++
	}
	if n == 0 {
		return messages.Fault{Where: key, What: "is empty", Remedy: "name at least one service, or remove the decky"}
	}
	return nil
}

func checkObjects(key string, v pyjson.Value) error {
	if v.Kind() != pyjson.Object {
		return messages.Fault{Where: key, What: wrongType(v, "an object of objects"), Remedy: "write {} for none"}
	}
	for k, m := range v.Members() {
		if m.Kind() != pyjson.Object {
			return fault(fmt.Sprintf("%s[%q]", key, shorten(string(k.Text()))), wrongType(m, "an object"))
		}
	}
	return checkDigits(key, v)
}

// checkDigits refuses integers that Python cannot read: DECNET would reject the whole file for one.
func checkDigits(key string, v pyjson.Value) error {
	if len(v.Text()) <= maxDigits || !longInt(v) {
		return nil
	}
	return fault(key, fmt.Sprintf("has an integer of more than %d digits", maxDigits))
}

func longInt(v pyjson.Value) bool {
	switch v.Kind() {
	case pyjson.Int:
		return len(v.Text()) > maxDigits
	case pyjson.Array:
		for _, e := range v.Elements() {
			if longInt(e) {
				return true
			}
		}
	case pyjson.Object:
		for _, m := range v.Members() {
			if longInt(m) {
				return true
			}
		}
	case pyjson.Null, pyjson.False, pyjson.True, pyjson.Float, pyjson.String:
	}
	return false
}

// isFloat is true for what Python turns into a float: every float, and integers within its range.
func isFloat(v pyjson.Value) bool {
	return v.Kind() == pyjson.Float || v.Kind() == pyjson.Int && !math.IsInf(pyjson.Number(v), 0)
}

func wrongType(v pyjson.Value, want string) string {
	return fmt.Sprintf("is %s, must be %s", v.Kind(), want)
}

func fault(where, what string) messages.Fault {
	return messages.Fault{Where: where, What: what}
}
