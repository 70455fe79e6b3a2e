package deckyconfig

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// MaxEntry bounds the text of one entry, in bytes. Chosen: DECNET's own have half a kilobyte; with it a hostile
	// entry costs at most 12 MiB while it is read, and no batch of rows outgrows a database packet by much.
	MaxEntry = 1 << 20
	// maxUnknown bounds how many unknown keys are named. Chosen; nothing depends on it.
	maxUnknown = 16
	// maxShown bounds how much of a foreign text a fault repeats, in bytes. Chosen; nothing depends on it.
	maxShown = 64
)

// Parser reads entries one after another and uses its memory again. The zero Parser is ready. It is not safe for
// concurrent use.
type Parser struct {
	doc   pyjson.Doc
	raw   []byte
	buf   []byte // the columns
	canon []byte // what the digest is made of
}

// Parse reads one entry of the state file, a JSON object. The result shares no memory with raw.
//
// The error is a messages.Fault whose Where is the path inside the entry ("services[0]", "" for the entry itself).
// With an error only Name of the result is set, and only where the entry has a name that can be read; a name that is
// readable but not allowed identifies its entry all the same.
//
// Keys that DECNET does not know are named in UnknownKeys and otherwise passed over.
func (p *Parser) Parse(raw []byte) (messages.Declared, error) {
	if len(raw) > MaxEntry {
		return messages.Declared{}, messages.Fault{What: fmt.Sprintf("has %d bytes, more than %d", len(raw), MaxEntry),
			Remedy: "shorten its service_config"}
	}
	defer p.doc.Release() // raw is usually a piece of a large file
	entry, err := p.doc.Parse(raw)
	if err != nil {
		return messages.Declared{}, messages.Fault{What: "is not JSON: " + err.Error()}
	}
	if entry.Kind() != pyjson.Object {
		return messages.Declared{}, messages.Fault{What: wrongType(entry, "an object"),
			Remedy: "remove it, or let DECNET write the file again"}
	}
	var strange strangers
	f := fields(entry, strange.add)
	d := messages.Declared{Name: readableName(f[name])}
	for id := range fieldCount {
		if err := check(id, f[id]); err != nil {
			return d, err
		}
	}
	p.encode(&f, &d)
	d.Digest = p.digest(&f, nil)
	d.UnknownKeys = strange.names()
	return d, nil
}

// readableName is the name of an entry as far as it identifies it; "" where it cannot be told.
func readableName(v pyjson.Value) string {
	if v.Kind() != pyjson.String || !v.Whole() {
		return ""
	}
	return string(v.Text())
}

// strangers collects keys that are not of the model.
type strangers struct {
	keys []string
	more int
}

func (s *strangers) add(key, _ pyjson.Value) {
	if len(s.keys) == maxUnknown {
		s.more++
		return
	}
	s.keys = append(s.keys, shorten(string(key.Text())))
}

func (s *strangers) names() []string {
	if s.more > 0 {
		return append(s.keys, fmt.Sprintf("(and %d more)", s.more))
	}
	return s.keys
}

// shorten cuts a foreign text to a length that fits a fault, at a character's edge.
func shorten(s string) string {
	if len(s) <= maxShown {
		return strings.Clone(s)
	}
	cut := maxShown
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
