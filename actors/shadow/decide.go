package shadow

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Policy holds the times a comparison goes by. New completes its zero value.
type Policy struct {
	// Window is how long the reference may take. 0 means 90s: three of its ticks, which come every 30 s.
	Window time.Duration
	// Grace is how long after an intent is gone the reference may still be seen to act on it. 0 means 5s: it reads, then
	// writes row by row, and the table is looked at every half a second.
	Grace time.Duration
}

// sight is one report of a decky.
type sight struct {
	now       time.Time
	known     bool   // what the table says is known
	row       string // state of the row; "" without one
	aggregate string // what the containers add up to; "" if unknown
	plan      *messages.PlanItem
	held      *messages.Held
	declared  string // unknown, absent, present
	observed  string
	services  []string
	waiting   bool // something is wanted that has to last first
}

// record is what is remembered of one decky. The zero value remembers nothing.
type record struct {
	seen   bool // the row has been known
	row    string
	before sight // the last report
	was    string
	wasTil time.Time // until then the containers added up to was
	intent *intent   // never changed in place
}

// intent is a change that we would have made.
type intent struct {
	action, from, to string
	reason           string
	at               time.Time
	gone             time.Time // since then it is not wanted any more; zero: it is
	late             string    // the reference's time is up: it was counted as missed, under that code; "": it is not
	disputed         bool      // it would undo what the reference just did: that is on record already
}

// finding is what became of a change.
type finding struct {
	item messages.ShadowItem
	late string // the code under which it was counted as missed before; "": it was not
}

// weigh takes a report in: first what the table says, because that explains why an intent is gone.
func weigh(r record, s sight, p Policy) (record, []finding) {
	var found []finding
	if r.before.aggregate != s.aggregate {
		r.was, r.wasTil = r.before.aggregate, s.now
	}
	if s.known {
		if r.seen && s.row != r.row {
			r, found = changed(r, s, p)
		}
		r.seen, r.row = true, s.row
		var more []finding
		had := r.intent
		r, more = intend(r, s)
		if r.intent != had && r.intent != nil && len(found) > 0 && found[0].item.Outcome == messages.ShadowDiffers {
			i := *r.intent
			i.disputed, r.intent = true, &i
		}
		found = append(found, more...)
	}
	r.before = s
	return r, found
}

// changed judges a change of the row.
func changed(r record, s sight, p Policy) (record, []finding) {
	item := messages.ShadowItem{Action: actionOf(r.row, s.row), From: r.row, To: s.row, SeenAt: messages.Moment{Time: s.now}}
	if i := r.intent; i != nil && i.target() == s.row && i.action != configure {
		item.Action, item.DecidedAt, item.Outcome = i.action, messages.Moment{Time: i.at}, messages.ShadowAgreed
		item.EarlierSeconds, item.Reason = s.now.Sub(i.at).Seconds(), i.reason
		r.intent = nil
		return r, []finding{{item, i.late}}
	}
	if code, why := objection(r, s, item.Action, p); code != "" {
		item.Outcome, item.Code, item.Reason = messages.ShadowDiffers, code, why
		if i := r.intent; i != nil && i.action == item.Action && i.late == "" {
			r.intent = nil // it was answered, if not as we would have
		}
		return r, []finding{{item: item}}
	}
	item.Outcome, item.Reason = messages.ShadowAgreed, "it was first: DECNET's own commands write rows too"
	if r.before.waiting {
		item.Reason = "it was first: we were still looking whether it lasts"
	}
	return r, []finding{{item: item}}
}

// configure is an update that leaves the state alone.
const configure = "configure"

func actionOf(from, to string) string {
	switch {
	case from == "":
		return messages.InsertRow.String()
	case to == "":
		return messages.DeleteRow.String()
	}
	return messages.UpdateRow.String()
}

// target is the state the row shows when the intent is carried out.
func (i *intent) target() string {
	if i.action == messages.DeleteRow.String() {
		return ""
	}
	return i.to
}

// open says whether the reference may still do it and nothing has been said of it.
func (i *intent) open() bool { return i != nil && i.late == "" && !i.disputed }

// runs says whether time can end it.
func (i *intent) runs() bool { return i.open() || i != nil && !i.gone.IsZero() }

func intentOf(s sight) *intent {
	if s.plan == nil {
		return nil
	}
	i := &intent{action: s.plan.Action, from: s.plan.From, to: s.plan.To, reason: s.plan.Reason, at: s.now}
	if i.action == messages.UpdateRow.String() && i.from == i.to {
		i.action = configure
	}
	return i
}

// intend compares what is wanted now with what was.
func intend(r record, s sight) (record, []finding) {
	now, had := intentOf(s), r.intent
	switch {
	case had == nil:
		r.intent = now
	case now == nil && had.gone.IsZero():
		i := *had
		i.gone, r.intent = s.now, &i
	case now == nil:
	case now.action == had.action && now.to == had.to:
		i := *had
		i.from, i.gone, r.intent = now.from, time.Time{}, &i
	default:
		r.intent = now
		return r, had.missed("superseded", "it changed again before the reference looked")
	}
	return r, nil
}

// expire ends an intent whose time is up.
func expire(r record, now time.Time, p Policy) (record, []finding) {
	i := r.intent
	switch {
	case i == nil:
		return r, nil
	case !i.gone.IsZero() && now.Sub(i.gone) >= p.Grace:
		r.intent = nil
		if i.action == configure {
			return r, i.missed(codeDrift, whyDrift)
		}
		return r, i.missed("over", "it was over before the reference looked")
	case i.gone.IsZero() && i.open() && now.Sub(i.at) >= p.Window:
		code, why := neverDone(i, r.before)
		late := *i
		late.late, r.intent = code, &late
		return r, i.missed(code, why)
	}
	return r, nil
}

// missed says that the reference never did it; it says so once.
func (i *intent) missed(code, why string) []finding {
	if i.late != "" || i.disputed {
		return nil
	}
	return []finding{{item: messages.ShadowItem{Action: i.action, From: i.from, To: i.to, Outcome: messages.ShadowMissed, Code: code, Reason: why,
		DecidedAt: messages.Moment{Time: i.at}}}}
}

// leave ends everything about a decky that neither file nor table know any more.
func leave(r record, now time.Time, p Policy) []finding {
	r, found := weigh(r, sight{now: now, known: true, declared: messages.Absent.String(), observed: r.before.observed}, p)
	if r.intent != nil {
		found = append(found, r.intent.missed("over", "it was over before the reference looked")...)
	}
	return found
}
