package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of the log in memory. Chosen: 4 MiB at worst, half an hour of a busy fleet; the journal has the rest.
const (
	logLines = 4096
	logLine  = 1024 // bytes of a line
)

// LogRing keeps the last lines of the log, by actor. It is a writer for zerolog's JSON: it never fails and never waits
// for a reader. Safe from any goroutine.
type LogRing struct {
	mu   sync.Mutex
	ring []rawLine
	next int64 // seq of the next line, from 1
	now  func() time.Time
}

type rawLine struct {
	seq int64
	at  time.Time
	raw []byte
}

// NewLogRing keeps size lines; 0 means 4096.
func NewLogRing(size int, now func() time.Time) *LogRing {
	if size <= 0 {
		size = logLines
	}
	return &LogRing{ring: make([]rawLine, size), next: 1, now: now}
}

// Write keeps one line. The room of the line it displaces is used again.
func (l *LogRing) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slot := &l.ring[l.next%int64(len(l.ring))]
	slot.seq, slot.at = l.next, l.now()
	slot.raw = append(slot.raw[:0], bytes.TrimRight(p[:min(len(p), logLine)], "\n")...)
	l.next++
	return len(p), nil
}

// lines gives the kept lines after seq, oldest first, with the seq of the newest. dropped are those after seq that are no
// longer kept.
func (l *LogRing) lines(since int64) (out []LogLine, last, dropped int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last = l.next - 1
	first := max(1, l.next-int64(len(l.ring)))
	if since < 0 || since > last {
		since = 0
	}
	if first > since+1 {
		dropped = first - since - 1
	}
	for seq := max(first, since+1); seq <= last; seq++ {
		x := l.ring[seq%int64(len(l.ring))]
		out = append(out, lineOf(x))
	}
	return out, last, dropped
}

// lineOf reads what is needed of a line; one that was cut is no JSON any more, and is looked through for the same keys.
func lineOf(x rawLine) LogLine {
	var keys struct {
		Level string `json:"level"`
		Actor string `json:"actor"`
	}
	if json.Unmarshal(x.raw, &keys) != nil {
		keys.Level, keys.Actor = member(x.raw, "level"), member(x.raw, "actor")
	}
	return LogLine{Seq: x.seq, At: messages.Moment{Time: x.at}, Level: keys.Level, Actor: keys.Actor, Line: string(bytes.ToValidUTF8(x.raw, nil))}
}

// member is the text of a key in JSON that may be cut off; "" if it has none.
func member(raw []byte, key string) string {
	_, after, found := bytes.Cut(raw, []byte(`"`+key+`":"`))
	if !found {
		return ""
	}
	for i := 0; i < len(after); i++ {
		switch after[i] {
		case '\\':
			i++
		case '"':
			text, err := strconv.Unquote(`"` + string(after[:i]) + `"`)
			if err != nil {
				return ""
			}
			return text
		}
	}
	return ""
}

func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	s.logsOf(w, r, r.URL.Query().Get("actor"))
}

func (s *Server) deckyLogs(w http.ResponseWriter, r *http.Request) {
	if name, ok := s.nameOf(w, r); ok {
		s.logsOf(w, r, "decky/"+name)
	}
}

// readSince reads ?since=. It answers itself where that is no number.
func readSince(w http.ResponseWriter, r *http.Request) (int64, bool) {
	text := r.URL.Query().Get("since")
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		refuse(w, http.StatusBadRequest, BadRequest, "since is "+strconv.Quote(clipped(text, 64))+", must be the seq of a line", "")
		return 0, false
	}
	return n, true
}

func (s *Server) logsOf(w http.ResponseWriter, r *http.Request, actor string) {
	list := LogList{Envelope: Envelope{API, "logs"}, Items: []LogLine{}}
	since, ok := readSince(w, r)
	if !ok {
		return
	}
	var all []LogLine
	if s.cfg.Logs != nil {
		all, list.Seq, list.Dropped = s.cfg.Logs.lines(since)
	}
	exact := r.PathValue("id") != ""
	some := slices.DeleteFunc(all, func(x LogLine) bool {
		return actor != "" && x.Actor != actor && (exact || x.Actor == "" || !matches(actor, x.Actor))
	})
	limit := r.URL.Query().Get("limit")
	if n, err := strconv.Atoi(limit); err == nil && n > 0 && n < len(some) && since == 0 {
		some = some[len(some)-n:] // the newest: a limit means the tail here
	}
	if items, ok := listed(w, r, some); ok {
		list.Items = items
		reply(w, list)
	}
}
