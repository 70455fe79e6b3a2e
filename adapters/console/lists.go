package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// filterWait bounds what one filter may cost. Chosen: 10,000 deckies take 30 ms.
const filterWait = 500 * time.Millisecond

// listed applies filter, sort and limit of a request. It answers itself where that is not possible.
func listed[T any](w http.ResponseWriter, r *http.Request, items []T) ([]T, bool) {
	v := r.URL.Query()
	f, err := ParseFilter(v.Get("filter"))
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), filterWait)
		defer cancel()
		items, err = selectItems(ctx, f, items)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, BadRequest, err.Error(), `a filter is like: state:degraded mailbox>10 !kind:decky web-*`)
		return nil, false
	}
	if by := v.Get("sort"); by != "" {
		items = slices.Clone(items)
		if !sortItems(items, by) {
			refuse(w, http.StatusBadRequest, BadRequest, "there is no field "+strconv.Quote(clipped(by, 64))+" to sort by",
				"the fields are the keys of an item")
			return nil, false
		}
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			refuse(w, http.StatusBadRequest, BadRequest, "limit is "+strconv.Quote(clipped(s, 64))+", must be a positive number", "")
			return nil, false
		}
		items = items[:min(n, len(items))]
	}
	whole(&items)
	return items, true
}

// asked puts a question to the backend and answers itself where there is no answer.
func asked[T any](s *Server, w http.ResponseWriter, r *http.Request, question any) (T, bool) {
	v, err := ask[T](r.Context(), s, question, answerWait)
	switch {
	case errors.Is(err, messages.ErrUnknownTarget):
		refuse(w, http.StatusNotFound, NotFound, err.Error(), "GET /v1/deckies and GET /v1/actors list what there is")
	case err != nil:
		refuseAnswer(w, err)
	default:
		return v, true
	}
	return v, false
}

func (s *Server) whoami(w http.ResponseWriter, r *http.Request) {
	c := CallerOf(r.Context())
	reply(w, WhoReply{Envelope{API, "whoami"}, c.UID, c.User, c.Role.String()})
}

func (s *Server) actors(w http.ResponseWriter, r *http.Request) {
	seq := s.cfg.Feed.Last()
	all, ok := asked[messages.ActorList](s, w, r, messages.GetActors{})
	if !ok {
		return
	}
	if items, ok := listed(w, r, all.Items); ok {
		reply(w, ActorList{Envelope{API, "actors"}, items, seq, all.Sampled})
	}
}

func (s *Server) actor(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[messages.ActorList](s, w, r, messages.GetActors{})
	if !ok {
		return
	}
	pid := r.PathValue("pid")
	i := slices.IndexFunc(all.Items, func(a messages.ActorStatus) bool { return a.PID == pid })
	if i < 0 {
		refuse(w, http.StatusNotFound, NotFound, "there is no actor "+strconv.Quote(clipped(pid, maxNote)), "GET /v1/actors lists them; the pid is kind/id")
		return
	}
	crashes, ok := asked[[]messages.CrashRecord](s, w, r, messages.GetCrashes{Actor: pid})
	if !ok {
		return
	}
	whole(&crashes)
	reply(w, ActorReply{Envelope{API, "actor"}, all.Items[i], crashes})
}

func (s *Server) handlers(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[[]messages.HandlerTime](s, w, r, messages.GetHandlerTimes{})
	if !ok {
		return
	}
	if items, ok := listed(w, r, all); ok {
		reply(w, HandlerList{Envelope{API, "handlers"}, items, s.cfg.Feed.Last()})
	}
}

func (s *Server) crashes(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[[]messages.CrashRecord](s, w, r, messages.GetCrashes{Actor: r.URL.Query().Get("actor")})
	if !ok {
		return
	}
	if items, ok := listed(w, r, all); ok {
		reply(w, CrashList{Envelope{API, "crashes"}, items, s.cfg.Feed.Last()})
	}
}

func (s *Server) crash(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil || id == 0 {
		refuse(w, http.StatusBadRequest, BadRequest, "the id of a crash is a number", "GET /v1/crashes lists them")
		return
	}
	all, ok := asked[[]messages.CrashRecord](s, w, r, messages.GetCrashes{ID: id})
	switch {
	case !ok:
	case len(all) != 1:
		refuse(w, http.StatusNotFound, NotFound, "there is no crash record "+r.PathValue("id"), "GET /v1/crashes lists those that are kept")
	default:
		reply(w, CrashReply{Envelope{API, "crash"}, all[0]})
	}
}

func (s *Server) deadLetters(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[messages.DeadLetterList](s, w, r, messages.GetDeadLetters{})
	if !ok {
		return
	}
	group := r.URL.Query().Get("group")
	if !slices.Contains([]string{"", "target", "type", "why"}, group) {
		refuse(w, http.StatusBadRequest, BadRequest, "group is "+strconv.Quote(clipped(group, 64))+", must be target, type or why", "")
		return
	}
	if items, ok := listed(w, r, grouped(all.Items, group)); ok {
		reply(w, DeadLetterList{Envelope{API, "deadletters"}, items, s.cfg.Feed.Last(), all.Total})
	}
}

// grouped adds up the letters that have a field in common; the other fields are "*" where they differ.
func grouped(all []messages.DeadLetter, by string) []messages.DeadLetter {
	if by == "" {
		return all
	}
	var out []messages.DeadLetter
	at := map[string]int{}
	for _, l := range all {
		key := map[string]string{"target": l.Target, "type": l.Type, "why": l.Why}[by]
		i, known := at[key]
		if !known {
			at[key] = len(out)
			out = append(out, l)
			continue
		}
		g := &out[i]
		g.Count += l.Count
		if l.At.After(g.At.Time) {
			g.At = l.At
		}
		for _, x := range []struct{ a, b *string }{{&g.Target, &l.Target}, {&g.Type, &l.Type}, {&g.Why, &l.Why}} {
			if *x.a != *x.b {
				*x.a = "*"
			}
		}
	}
	slices.SortStableFunc(out, func(a, b messages.DeadLetter) int { return int(b.Count - a.Count) })
	return out
}

func (s *Server) pauses(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[[]messages.Pause](s, w, r, messages.GetPauses{})
	if !ok {
		return
	}
	if items, ok := listed(w, r, all); ok {
		reply(w, PauseList{Envelope{API, "pauses"}, items, s.cfg.Feed.Last()})
	}
}

func (s *Server) audit(w http.ResponseWriter, r *http.Request) {
	var all []messages.AuditEntry
	if s.cfg.Audit != nil {
		all = s.cfg.Audit.Entries()
	}
	if items, ok := listed(w, r, all); ok {
		reply(w, AuditList{Envelope{API, "audit"}, items, s.cfg.Feed.Last()})
	}
}

func (s *Server) config(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[[]messages.Setting](s, w, r, messages.GetConfig{})
	if !ok {
		return
	}
	if items, ok := listed(w, r, all); ok {
		reply(w, ConfigList{Envelope{API, "config"}, items})
	}
}

// nameOf finds the decky a path means: its id is {host}:{name}.
func (s *Server) nameOf(w http.ResponseWriter, r *http.Request) (string, bool) {
	id := r.PathValue("id")
	name, ours := cutHost(id, s.cfg.Node)
	if !ours {
		refuse(w, http.StatusNotFound, NotFound, "there is no decky "+strconv.Quote(clipped(id, maxNote)), "GET /v1/deckies lists them; the id is {host_uuid}:{name}")
	}
	return name, ours
}

func cutHost(id, host string) (string, bool) {
	if len(id) > len(host) && id[:len(host)] == host && id[len(host)] == ':' {
		return id[len(host)+1:], true
	}
	return "", false
}

// timelineLength is how many events an inspection shows. Source: the verb inspect shows the last ten.
const timelineLength = 10

func (s *Server) inspect(w http.ResponseWriter, r *http.Request) {
	name, ok := s.nameOf(w, r)
	if !ok {
		return
	}
	most, err := strconv.Atoi(r.URL.Query().Get("decisions"))
	if err != nil || most < 0 {
		most = 0
	}
	i, ok := asked[messages.Inspection](s, w, r, messages.GetInspection{Name: name, Most: most})
	if !ok {
		return
	}
	i.Timeline = s.cfg.Feed.Page(Query{Since: -1, Limit: timelineLength, Name: name}).Items
	slices.Reverse(i.Timeline)
	reply(w, InspectionReply{Envelope{API, "inspection"}, wholeInspection(i)})
}

func wholeInspection(i messages.Inspection) messages.Inspection {
	i.Decky = wholeDecky(i.Decky)
	whole(&i.Facts)
	whole(&i.Decisions)
	whole(&i.Timeline)
	whole(&i.Crashes)
	whole(&i.Messages)
	return i
}

func (s *Server) decisions(w http.ResponseWriter, r *http.Request) {
	name, ok := s.nameOf(w, r)
	if !ok {
		return
	}
	most, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil || most < 1 {
		most = defaultLimit
	}
	if i, ok := asked[messages.Inspection](s, w, r, messages.GetInspection{Name: name, Most: most}); ok {
		whole(&i.Decisions)
		reply(w, DecisionList{Envelope{API, "decisions"}, i.Decisions, s.cfg.Feed.Last()})
	}
}

func (s *Server) messages(w http.ResponseWriter, r *http.Request) {
	name, ok := s.nameOf(w, r)
	if !ok {
		return
	}
	if all, ok := asked[[]messages.HandledMessage](s, w, r, messages.GetMessages{Name: name}); ok {
		whole(&all)
		reply(w, MessageList{Envelope{API, "messages"}, all, s.cfg.Feed.Last()})
	}
}

func (s *Server) timeline(w http.ResponseWriter, r *http.Request) {
	name, ok := s.nameOf(w, r)
	if !ok {
		return
	}
	q, err := readQuery(r)
	if err != nil {
		refuseQuery(w, err)
		return
	}
	q.Name, q.Target = name, ""
	replyTagged(w, r, s.cfg.Feed.Page(q))
}
