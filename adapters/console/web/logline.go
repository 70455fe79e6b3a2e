package web

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Said is a line of the log for a person: what was said, then about what. A line that is no JSON, or was cut, is itself.
func (l LogLine) Said() string {
	d := json.NewDecoder(strings.NewReader(l.Line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return l.Line
	}
	message, parts := "", []string{}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return l.Line
		}
		name, _ := key.(string)
		switch text := plainValue(value); {
		case name == "message":
			message = text
		case slices.Contains([]string{"level", "time"}, name) || text == "": // they stand before it, or say nothing
		default:
			parts = append(parts, name+"="+text)
		}
	}
	return strings.TrimSpace(message + "  " + strings.Join(parts, " "))
}

// plainValue is a value without quotes where it is one word.
func plainValue(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		var short bytes.Buffer
		if json.Compact(&short, raw) != nil {
			return string(raw)
		}
		return short.String()
	}
	if strings.ContainsAny(text, " \t\"=") {
		quoted, err := json.Marshal(text)
		if err == nil {
			return string(quoted)
		}
	}
	return text
}
