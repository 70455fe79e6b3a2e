package statefile

import (
	"errors"
	"fmt"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

// layout is where the parts of a file stand in its text.
type layout struct {
	entries  []pyjson.Span // elements of config.deckies
	settings [settingCount]pyjson.Span
}

// surveyor goes through the text once. It keeps the places of what matters and passes over the rest.
type surveyor struct {
	layout
	r       *pyjson.Reader
	config  pyjson.Kind
	deckies pyjson.Kind
	total   int // elements of deckies, also those beyond MaxEntries
}

// survey checks the whole text and finds its parts. ok is false where the fault, whose Where is a place inside the
// file, makes the file invalid. As in Python the last of repeated keys counts.
func survey(text []byte) (l layout, f messages.Fault, ok bool) {
	if f, empty := emptiness(text); empty {
		return layout{}, f, false
	}
	s := &surveyor{}
	if err := s.walk(text); err != nil {
		return layout{}, syntaxFault(text, err), false
	}
	if f, bad := s.verdict(); bad {
		return layout{}, f, false
	}
	return s.layout, messages.Fault{}, true
}

func emptiness(text []byte) (messages.Fault, bool) {
	for _, c := range text {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return messages.Fault{}, false
		}
	}
	return messages.Fault{What: "is empty",
		Remedy: "DECNET truncates it before it writes; if it stays so, run decnet deploy again"}, true
}

func syntaxFault(text []byte, err error) messages.Fault {
	var syntax *pyjson.SyntaxError
	if !errors.As(err, &syntax) {
		return messages.Fault{What: err.Error()}
	}
	line, column := pyjson.Position(text, syntax.Offset)
	return messages.Fault{Where: fmt.Sprintf("line %d, column %d", line, column), What: syntax.What,
		Remedy: "DECNET does not write it in one step; if it stays so, correct it or run decnet deploy again"}
}

func (s *surveyor) walk(text []byte) (err error) {
	if s.r, err = pyjson.NewReader(text); err != nil {
		return err
	}
	if s.r.Peek() != pyjson.Object {
		if _, err = s.r.Skip(); err != nil {
			return err
		}
		return s.r.End() // not an object: config stays missing
	}
	if err = s.r.Object(s.rootMember); err != nil {
		return err
	}
	return s.r.End()
}

func (s *surveyor) rootMember(key []byte) error {
	switch string(key) {
	case "config":
		return s.configObject()
	case settings[composePath].key:
		return s.keep(composePath)
	}
	_, err := s.r.Skip()
	return err
}

func (s *surveyor) configObject() error {
	compose := s.settings[composePath]
	s.layout, s.deckies, s.total = layout{}, 0, 0
	s.settings[composePath] = compose
	if s.config = s.r.Peek(); s.config == pyjson.Object {
		return s.r.Object(s.configMember)
	}
	span, err := s.r.Skip()
	s.config = span.Kind
	return err
}

func (s *surveyor) configMember(key []byte) error {
	if string(key) == "deckies" {
		return s.deckyList()
	}
	for id := range settingCount {
		if id != composePath && string(key) == settings[id].key {
			return s.keep(id)
		}
	}
	_, err := s.r.Skip()
	return err
}

func (s *surveyor) deckyList() error {
	s.entries, s.total = s.entries[:0], 0
	if s.deckies = s.r.Peek(); s.deckies == pyjson.Array {
		return s.r.Array(func(int) error {
			span, err := s.r.Skip()
			if s.total++; s.total <= MaxEntries {
				s.entries = append(s.entries, span)
			}
			return err
		})
	}
	span, err := s.r.Skip()
	s.deckies = span.Kind
	return err
}

func (s *surveyor) keep(id settingID) (err error) {
	s.settings[id], err = s.r.Skip()
	return err
}

// verdict judges what only the whole text can tell.
func (s *surveyor) verdict() (messages.Fault, bool) {
	const remedy = "run decnet deploy again"
	switch {
	case s.config != pyjson.Object:
		return messages.Fault{Where: "config", What: kindWord(s.config) + ", must be an object", Remedy: remedy}, true
	case s.deckies != pyjson.Array:
		return messages.Fault{Where: "config.deckies", What: kindWord(s.deckies) + ", must be a list", Remedy: remedy}, true
	case s.total == 0:
		return messages.Fault{Where: "config.deckies", What: "is empty, which DECNET never writes",
			Remedy: "to tear the whole fleet down run decnet teardown --all, which removes the file"}, true
	case s.total > MaxEntries:
		return messages.Fault{Where: "config.deckies", What: fmt.Sprintf("has %d entries, more than %d", s.total, MaxEntries),
			Remedy: "split the fleet over several hosts"}, true
	}
	return messages.Fault{}, false
}

func kindWord(k pyjson.Kind) string { return "is " + k.String() }
