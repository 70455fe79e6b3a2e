package docker

import (
	"bytes"

	"github.com/decnet/decnet-fleetd/messages"
)

// Labels that mean something. Source: what DECNET and docker compose write.
const (
	labelDecky    = "decnet.fleet.decky"
	labelService  = "decnet.fleet.service_name"
	labelProject  = "com.docker.compose.project"
	labelOneOff   = "com.docker.compose.oneoff"
	labelTopology = "decnet.topology." // a prefix
	topologyName  = "decnet-topo-"     // prefix of the compose project of a topology
)

// marks is what the labels of one container say. Both a list and an event carry labels; an event mixes attributes in.
type marks struct {
	decky, service, project []byte
	topology, oneOff        bool
}

func (m *marks) reset() {
	m.decky, m.service, m.project = m.decky[:0], m.service[:0], m.project[:0]
	m.topology, m.oneOff = false, false
}

// read takes a whole object of labels; only texts are labels.
func (m *marks) read(s *scanner) {
	for s.open('{'); s.more('}'); {
		m.label(s, s.key())
	}
}

// label reads the value of one label.
func (m *marks) label(s *scanner, key []byte) {
	switch string(key) {
	case labelDecky:
		m.decky = append(m.decky[:0], s.str(maxText)...)
	case labelService:
		m.service = append(m.service[:0], s.str(maxText)...)
	case labelProject:
		m.project = append(m.project[:0], s.str(maxText)...)
	case labelOneOff:
		m.oneOff = string(s.str(maxText)) == "True"
	default:
		m.topology = m.topology || bytes.HasPrefix(key, []byte(labelTopology))
		s.str(0)
	}
}

func (m *marks) stranger() bool {
	return m.topology || m.oneOff || bytes.HasPrefix(m.project, []byte(topologyName))
}

func (m *marks) equal(c *messages.Container) bool {
	return string(m.decky) == c.Decky && string(m.service) == c.Service && string(m.project) == c.Project &&
		m.stranger() == c.Stranger
}

func (m *marks) put(c *messages.Container, w *words) {
	c.Decky, c.Service, c.Project = w.of(m.decky), w.of(m.service), w.of(m.project)
	c.Stranger = m.stranger()
}

// words keeps one copy of every text that many containers share. It is used by one goroutine; the zero value works.
type words struct{ known map[string]string }

// maxWords bounds the table; beyond it starts over. Source: 10,000 deckies fit six times.
const maxWords = 1 << 16

// maxWord keeps long texts, which nobody shares, out of it. Source: a decky's name has at most 128 bytes.
const maxWord = 128

func (w *words) of(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > maxWord {
		return string(b)
	}
	if s, ok := w.known[string(b)]; ok {
		return s
	}
	if w.known == nil || len(w.known) >= maxWords {
		w.known = make(map[string]string)
	}
	s := string(b)
	w.known[s] = s
	return s
}
