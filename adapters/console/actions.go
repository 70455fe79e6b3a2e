package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// verbNames are the control verbs.
var verbNames = []string{"resync", "restart", "pause", "resume", "quarantine", "release", "kill"}

// hostVerbs also know the host as a whole.
var hostVerbs = []string{"resync", "pause", "resume"}

// Bounds of one action. Chosen: a fleet of 10,000 deckies can be paused by name; a hand-typed wait is short.
const (
	maxTargets  = 16384
	maxWait     = time.Minute
	defaultWait = 30 * time.Second // of "wait": true
)

// maxActionBody lets all targets be named. Source: a name has at most 128 bytes, and its quotes and comma.
const maxActionBody = 4 << 20

// Wait is how long to wait until an action is done: in JSON true, seconds, or text like "30s".
type Wait time.Duration

// MarshalJSON writes seconds.
func (w Wait) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(w).Seconds()) }

// UnmarshalJSON reads true, false, seconds or a duration.
func (w *Wait) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	d := time.Duration(0)
	switch x := v.(type) {
	case bool:
		if x {
			d = defaultWait
		}
	case float64:
		if x < 0 || x > maxWait.Seconds() {
			return errWait
		}
		d = time.Duration(x * float64(time.Second))
	case string:
		var err error
		if d, err = time.ParseDuration(x); err != nil {
			return errWait
		}
	case nil:
	default:
		return errWait
	}
	if d < 0 || d > maxWait {
		return errWait
	}
	*w = Wait(d)
	return nil
}

var errWait = fmt.Errorf(`wait must be true, seconds or text like "30s", at most %v`, maxWait)

// act serves POST /v1/actions/{verb}.
func (s *Server) act(w http.ResponseWriter, r *http.Request) {
	s.once(w, r, func(w http.ResponseWriter, r *http.Request) {
		verb, want, ok := s.readAction(w, r)
		if !ok {
			return
		}
		targets, ok := s.targets(w, r, want)
		if !ok {
			return
		}
		s.perform(w, r, deed{verb, want, targets, false})
	})
}

// actOne serves POST /v1/deckies/{id}/actions/{verb}.
func (s *Server) actOne(w http.ResponseWriter, r *http.Request) {
	s.once(w, r, func(w http.ResponseWriter, r *http.Request) {
		name, ok := s.nameOf(w, r)
		if !ok {
			return
		}
		verb, want, ok := s.readAction(w, r)
		if !ok {
			return
		}
		if len(want.Targets) > 0 || want.Filter != "" || want.Actors {
			refuse(w, http.StatusBadRequest, BadRequest, "the path names the target", "POST /v1/actions/"+verb+" takes targets and filters")
			return
		}
		s.perform(w, r, deed{verb, want, []string{name}, true})
	})
}

func (s *Server) readAction(w http.ResponseWriter, r *http.Request) (verb string, want ActionRequest, ok bool) {
	verb = r.PathValue("verb")
	if n := noteOf(r.Context()); n != nil {
		n.verb = verb
	}
	if !slices.Contains(verbNames, verb) {
		refuse(w, http.StatusNotFound, NotFound, "there is no verb "+strconv.Quote(clipped(verb, 64)), "the verbs are "+strings.Join(verbNames, ", "))
		return verb, want, false
	}
	if verb == "kill" {
		if who := CallerOf(r.Context()); who.Role < Admin {
			refuseRole(w, who.Role, Admin)
			return verb, want, false
		}
	}
	if err := s.readBody(w, r, &want); err != nil {
		refuseBody(w, err, bodyHint)
		return verb, want, false
	}
	if len(want.Reason) > maxNote {
		refuse(w, http.StatusBadRequest, BadRequest, fmt.Sprintf("the reason has %d bytes, %d are the limit", len(want.Reason), maxNote), "")
		return verb, want, false
	}
	return verb, want, true
}

// targets are those named, or those a filter selects.
func (s *Server) targets(w http.ResponseWriter, r *http.Request, want ActionRequest) ([]string, bool) {
	switch {
	case (len(want.Targets) == 0) == (strings.TrimSpace(want.Filter) == ""):
		refuse(w, http.StatusBadRequest, BadRequest, "name targets, or a filter, not both", `send {"targets": ["decky-01"]}; "*" is the host`)
		return nil, false
	case len(want.Targets) > maxTargets:
		refuse(w, http.StatusBadRequest, BadRequest, fmt.Sprintf("there are %d targets, %d are the limit", len(want.Targets), maxTargets), "use a filter")
		return nil, false
	case len(want.Targets) > 0:
		return slices.Compact(slices.Sorted(slices.Values(want.Targets))), true
	}
	names, err := s.selected(r, want)
	if err != nil {
		refuse(w, http.StatusBadRequest, BadRequest, err.Error(), "")
		return nil, false
	}
	if len(names) == 0 {
		refuse(w, http.StatusNotFound, NotFound, "the filter selects nothing", "GET /v1/deckies?filter= shows what it selects")
		return nil, false
	}
	return names, true
}

func (s *Server) selected(r *http.Request, want ActionRequest) ([]string, error) {
	f, err := ParseFilter(want.Filter)
	if err != nil {
		return nil, err
	}
	var names []string
	if want.Actors {
		all, err := ask[messages.ActorList](r.Context(), s, messages.GetActors{}, answerWait)
		if err != nil {
			return nil, err
		}
		some, err := selectItems(r.Context(), f, all.Items)
		for _, a := range some {
			names = append(names, a.PID)
		}
		return names, err
	}
	all, _, err := s.allDeckies(r.Context())
	if err != nil {
		return nil, err
	}
	some, err := selectItems(r.Context(), f, all)
	for _, d := range some {
		names = append(names, s.targetOf(d))
	}
	return names, err
}

// deed is an action whose targets are known.
type deed struct {
	verb    string
	want    ActionRequest
	targets []string
	alone   bool // a refusal of the target is one of the request
}

// perform has the backend act and answers with what became of each target.
func (s *Server) perform(w http.ResponseWriter, r *http.Request, d deed) {
	verb, want, targets := d.verb, d.want, d.targets
	who, n := CallerOf(r.Context()), noteOf(r.Context())
	if n != nil {
		n.target, n.reason, n.dry = listOf(targets), want.Reason, want.DryRun
	}
	if slices.Contains(targets, messages.PauseHost) && (want.Actors || !slices.Contains(hostVerbs, verb)) {
		refuse(w, http.StatusBadRequest, BadRequest, verb+" does not know the host as a whole", "name deckies, or use a filter")
		return
	}
	wait := time.Duration(want.Wait)
	s.allowWriting(w, wait+answerWait+writeWait)
	order := messages.Act{Verb: verb, Targets: targets, Actors: want.Actors, DryRun: want.DryRun, Reason: want.Reason, By: who.Name(), Wait: wait}
	items, err := s.ordered(r.Context(), order)
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	if n != nil {
		n.result = tally(items)
	}
	if d.alone && len(items) == 1 && refuseResult(w, verb, items[0]) {
		return
	}
	whole(&items)
	reply(w, ActionReply{Envelope{API, "action"}, verb, want.DryRun, items})
}

func refuseResult(w http.ResponseWriter, verb string, x messages.ActionResult) bool {
	switch x.Result {
	case "not found":
		refuse(w, http.StatusNotFound, NotFound, "there is no decky "+strconv.Quote(x.Name), "GET /v1/deckies lists them")
	case "refused":
		refuse(w, http.StatusConflict, Conflict, verb+" "+x.Name+": "+x.Detail, "")
	case "timed out":
		refuse(w, http.StatusGatewayTimeout, Timeout, verb+" "+x.Name+": "+x.Detail, "it goes on; GET the decky to see how it ends")
	default:
		return false
	}
	return true
}

// listOf names the first targets and counts the others.
func listOf(names []string) string {
	const shown = 20
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", len(names)-shown)
}

// tally counts results: "done 3, refused 1 (not in quarantine)".
func tally(items []messages.ActionResult) string {
	count, why := map[string]int{}, map[string]string{}
	var order []string
	for _, x := range items {
		if count[x.Result] == 0 {
			order = append(order, x.Result)
		}
		count[x.Result]++
		if x.Detail != "" && why[x.Result] == "" {
			why[x.Result] = x.Detail
		}
	}
	if len(items) == 1 && items[0].Detail == "" {
		return items[0].Result
	}
	parts := make([]string, 0, len(order))
	for _, result := range order {
		text := result
		if len(items) > 1 {
			text += " " + strconv.Itoa(count[result])
		}
		if why[result] != "" {
			text += " (" + why[result] + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// errBusyKey: the same request is under way.
var errBusyKey = errors.New("a request with this Idempotency-Key is under way")

// bodyHint tells who sent a body that cannot be read where to look.
const bodyHint = "GET /v1/openapi.json tells what each body may have"
