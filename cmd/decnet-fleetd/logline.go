package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/rs/zerolog"
)

// logLine is a line of JSON taken apart. All texts are as they were said: whoever shows them escapes them.
type logLine struct {
	time, message string
	fields        []logField // in their order, without time, level and message
}

type logField struct{ key, text string }

// readLine takes a line apart; of what is no JSON the whole text is the message.
func readLine(p []byte) logLine {
	e := logLine{}
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		e.message = string(bytes.TrimSpace(p))
		return e
	}
	for d.More() {
		token, err := d.Token()
		key, isKey := token.(string)
		var value any
		if err != nil || !isKey || d.Decode(&value) != nil {
			break
		}
		switch text := plain(value); key {
		case zerolog.TimestampFieldName:
			e.time = text
		case zerolog.LevelFieldName:
		case zerolog.MessageFieldName:
			e.message = text
		default:
			e.fields = append(e.fields, logField{key, text})
		}
	}
	return e
}

// text is the line as a person reads it: the message and what belongs to it.
func (e logLine) text() string {
	var b strings.Builder
	b.WriteString(escape(e.message))
	for _, f := range e.fields {
		b.WriteString(" " + word(f.key) + "=" + quoteField(f.text))
	}
	return b.String()
}

// get is a field's text; "" if there is none.
func (e logLine) get(key string) string {
	for _, f := range e.fields {
		if f.key == key {
			return f.text
		}
	}
	return ""
}

func plain(v any) string {
	if s, is := v.(string); is {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(raw)
}

// quoteField keeps the end of a value visible.
func quoteField(s string) string {
	e := escape(s)
	if e == "" || strings.ContainsAny(e, " \"=") {
		return `"` + strings.ReplaceAll(e, `"`, `\"`) + `"`
	}
	return e
}
