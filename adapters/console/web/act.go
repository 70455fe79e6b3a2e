package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// verb is a control verb as the pages tell it.
type verb struct {
	Name, Does string
	Needs      string // role
	Danger     bool
	Host       bool // knows the host as a whole
}

var verbs = []verb{
	{"resync", "Reads every source again and has the decky decide anew from everything known.", "operator", false, true},
	{"restart", "Starts a new incarnation of the actor. It asks its sources for everything again. Containers are not touched.", "operator", false, false},
	{"pause", "Its row is not written, and nothing is announced, until somebody resumes it. This outlives a restart of the daemon.", "operator", false, true},
	{"resume", "Its row is written again; what has changed since is caught up with at once.", "operator", false, true},
	{"quarantine", "Stops the actor until somebody releases it. Its row stays as it is.", "operator", true, false},
	{"release", "Lets the actor try again now.", "operator", false, false},
	{"kill", "Crashes the actor, for a drill. It is restarted as after any crash.", "admin", true, false},
	{"approve", "Lets this set of deletions go. The rows are deleted and the deletions announced.", "operator", true, false},
	{"reconcile", "Reads every source again and makes the rows agree with them, once, now.", "operator", false, true},
	{"drain", "The host observes as ever, and writes and announces nothing until it is undrained. This outlives a restart of its daemon. Containers are not touched.", "operator", false, false},
	{"undrain", "The host writes again; what has changed since is caught up with at once.", "operator", false, false},
	{"forget", "Deletes the rows that are left of this host, and announces each deletion. The host must not be enrolled.", "operator", true, false},
	{"leave", "Says goodbye to the hub and stays away until this daemon is started again or reloaded. It goes on to reconcile its own host.", "operator", false, false},
}

func verbOf(name string) (verb, error) {
	i := slices.IndexFunc(verbs, func(v verb) bool { return v.Name == name })
	if i < 0 {
		return verb{}, &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: "there is no such verb", Hint: "the verbs are " + strings.Join(verbNames(), ", ")}
	}
	return verbs[i], nil
}

func verbNames() []string {
	var out []string
	for _, v := range verbs {
		out = append(out, v.Name)
	}
	return out
}

// actPage asks for consent to a verb, or tells what came of it.
type actPage struct {
	Verb    verb                    `json:"verb"`
	Targets []string                `json:"targets"`
	Actors  bool                    `json:"actors"`
	Members []string                `json:"members,omitempty"` // deckies of a set that is to be approved
	Allowed bool                    `json:"allowed"`
	Role    string                  `json:"role"`
	Type    string                  `json:"type,omitempty"` // what has to be typed; "": nothing
	Key     string                  `json:"-"`
	Back    string                  `json:"-"`
	Done    bool                    `json:"done"`
	DryRun  bool                    `json:"dry_run"`
	Reason  string                  `json:"reason,omitempty"`
	Results []messages.ActionResult `json:"results,omitempty"`
	Pass    *messages.PassReport    `json:"pass,omitempty"`
	Host    string                  `json:"host,omitempty"` // the name of the host that the verb is about as a whole
	Node    string                  `json:"-"`              // the host that the page was about when the order was given
}

// many is from how many targets on their number has to be typed. Chosen: what a slip of the hand marks.
const many = 10

// wantedOf reads what is to be done from a form or an address.
func wantedOf(v map[string][]string) (actPage, error) {
	first := func(key string) string {
		if len(v[key]) > 0 {
			return v[key][0]
		}
		return ""
	}
	d := actPage{Targets: v["target"], Actors: first("actors") == "1", Reason: first("reason"), DryRun: first("dry_run") == "1", Key: first("key")}
	var err error
	if d.Verb, err = verbOf(first("verb")); err != nil {
		return d, err
	}
	if d.Verb.Name == "reconcile" {
		d.Targets = nil
	} else if len(d.Targets) == 0 || len(d.Targets) > maxPageSize {
		return d, &Problem{Status: http.StatusBadRequest, Code: "bad_request", Detail: "nothing is marked", Hint: "mark deckies in the list first, at most 1,000"}
	}
	switch {
	case slices.Contains(d.Targets, "*"):
		d.Type = "all"
	case len(d.Targets) >= many:
		d.Type = itoa(int64(len(d.Targets)))
	}
	return d, nil
}

func (p *Pages) ask(r *http.Request, who Who) (content, error) {
	d, err := wantedOf(r.URL.Query())
	if err != nil {
		return content{}, err
	}
	d.Allowed, d.Role, d.Back = who.May(d.Verb.Needs), who.Role, backOf(r)
	d.Key, d.Node = newKey(), siteOf(r.Context()).node.HostUUID
	siteOf(r.Context()).nameHost(&d)
	if d.Verb.Name == "approve" {
		st, err := p.cfg.Model.Status(r.Context())
		if err != nil {
			return content{}, err
		}
		for _, h := range st.Held {
			if h.Hash == d.Targets[0] {
				d.Members = append(d.Members, h.Name)
			}
		}
		if len(d.Members) > 0 {
			d.Type = itoa(int64(len(d.Members)))
		}
	}
	return content{view: "act", title: title(d.Verb.Name), data: d}, nil
}

// newKey makes an order that is sent twice, by a slip or a reload, one order.
func newKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// backOf is the page the order was given on. Only a path of ours is followed.
func backOf(r *http.Request) string {
	if back := r.URL.Query().Get("back"); strings.HasPrefix(back, "/") && !strings.HasPrefix(back, "//") && !strings.Contains(back, `\`) {
		return back
	}
	return "/"
}

func (p *Pages) act(r *http.Request, who Who) (content, error) {
	d, err := wantedOf(r.PostForm)
	if err != nil {
		return content{}, err
	}
	s := siteOf(r.Context())
	if s.node.HostUUID != r.PostForm.Get("node") {
		return content{}, &Problem{Status: http.StatusConflict, Code: "conflict", Detail: "another host was chosen since this page was made: nothing was done", Hint: "go back, and look at which host it is"}
	}
	s.nameHost(&d)
	if !who.May(d.Verb.Needs) { // the daemon refuses too; this says it better
		return content{}, &Problem{Status: http.StatusForbidden, Code: "permission", Detail: d.Verb.Name + " needs the role " + d.Verb.Needs + ", yours is " + who.Role}
	}
	if typed := r.PostForm.Get("typed"); r.PostForm.Get("must") != "" && typed != r.PostForm.Get("must") && !d.DryRun || d.Type != "" && typed != d.Type && !d.DryRun {
		return content{}, &Problem{Status: http.StatusBadRequest, Code: "bad_request", Detail: "what was typed is not what was asked for: nothing was done", Hint: "go back and type it exactly"}
	}
	d.Done, d.Allowed, d.Role = true, true, who.Role
	if err := p.carryOut(r.Context(), &d); err != nil {
		return content{}, err
	}
	return content{view: "act", title: title(d.Verb.Name), data: d}, nil
}

// carryOut has the daemon do what was consented to, and keeps what came of it.
func (p *Pages) carryOut(ctx context.Context, d *actPage) (err error) {
	order := Order{Verb: d.Verb.Name, Targets: d.Targets, Actors: d.Actors, Reason: d.Reason, DryRun: d.DryRun, Key: d.orderKey()}
	switch d.Verb.Name {
	case "reconcile":
		var pass messages.PassReport
		if pass, err = p.cfg.Model.Reconcile(ctx, d.DryRun); err == nil {
			d.Pass = &pass
		}
	case "approve":
		var names []string
		names, err = p.cfg.Model.Approve(ctx, d.Targets[0], d.Reason, d.DryRun)
		for _, n := range names {
			d.Results = append(d.Results, messages.ActionResult{Name: n, Before: "held", After: "released", Result: map[bool]string{true: "would be done", false: "done"}[d.DryRun]})
		}
	case "drain", "undrain", "forget", "leave":
		d.Results, err = p.cfg.Model.Host(ctx, order)
	default:
		d.Results, err = p.cfg.Model.Act(ctx, order)
	}
	return err
}

// orderKey: the dry run of an order and the order itself are two.
func (d actPage) orderKey() string {
	if d.DryRun && d.Key != "" {
		return d.Key + "-dry"
	}
	return d.Key
}

// orderWait is how long an order and its page may take. Source: a pass of the daemon has 90 s.
const orderWait = 100 * time.Second
