package web

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Cluster is what is known of other hosts, and what can be ordered of a whole one.
type Cluster interface {
	// Members are the hosts of the cluster, and the uuid of the one that answers. A host alone has a *Problem.
	Members(ctx context.Context) (all []messages.Member, self string, err error)
	// Host drains, undrains or forgets a host, or has this one leave.
	Host(ctx context.Context, o Order) ([]messages.ActionResult, error)
}

// site is the cluster as it stands when a page is asked for, and the host that the page is about.
type site struct {
	members []messages.Member
	self    string
	node    messages.Member // zero: none was chosen
}

type siteKey struct{}

func siteOf(ctx context.Context) site {
	s, _ := ctx.Value(siteKey{}).(site)
	return s
}

// hub says whether this is the hub of a cluster.
func (s site) hub() bool { return s.own().Role == "hub" }

func (s site) own() messages.Member { return s.find(s.self) }

func (s site) find(uuid string) messages.Member {
	if i := slices.IndexFunc(s.members, func(m messages.Member) bool { return m.HostUUID == uuid }); i >= 0 {
		return s.members[i]
	}
	return messages.Member{}
}

// nodeCookie remembers the chosen host. It is a place, no right: what may be seen and done there is judged there.
const nodeCookie = "fleetd_node"

// placed finds out where the cluster stands and which host was chosen.
func (p *Pages) placed(r *http.Request) *http.Request {
	var s site
	var err error
	if s.members, s.self, err = p.cfg.Model.Members(r.Context()); err != nil {
		return r // a host alone, or one that cannot tell: the page is about it
	}
	if c, err := r.Cookie(nodeCookie); err == nil && s.hub() {
		if uuid, err := url.QueryUnescape(c.Value); err == nil {
			s.node = s.find(uuid)
		}
	}
	return r.WithContext(context.WithValue(r.Context(), siteKey{}, s))
}

// chooseNode is the form of the header.
func (p *Pages) chooseNode(w http.ResponseWriter, r *http.Request) {
	broken := p.readForm(w, r)
	who, err := p.who(r.Context())
	if err == nil {
		err = p.checkForm(r, who, broken)
	}
	s, uuid := siteOf(r.Context()), r.PostForm.Get("node")
	if err == nil && uuid != "" && s.find(uuid).HostUUID == "" {
		err = &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: "there is no such host", Hint: "the page Cluster lists them"}
	}
	if err != nil {
		p.write(w, r, who, refusal(err))
		return
	}
	c := &http.Cookie{Name: nodeCookie, Value: url.QueryEscape(uuid), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode} //nolint:gosec // plain HTTP on loopback
	if uuid == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, listOf(r.PostForm.Get("back")), http.StatusSeeOther)
}

// listOf is the page to go to at another host: the same list, or the first page where a thing of the old host was shown.
func listOf(back string) string {
	if slices.ContainsFunc(tabs("", messages.Status{}), func(t tab) bool { return t.Path == back }) {
		return back
	}
	return "/"
}

// memberRow is a host with what somebody should know of it.
type memberRow struct {
	messages.Member
	Concerns []string  `json:"concerns"`
	Self     bool      `json:"self"`
	CertTone string    `json:"-"`
	Offers   []control `json:"-"`
}

// clusterPage is the hosts of the cluster, or that there is none.
type clusterPage struct {
	Members []memberRow     `json:"members"`
	Role    string          `json:"role"` // hub, worker, solo
	Hub     *memberRow      `json:"hub,omitempty"`
	Away    int             `json:"away"`
	Leave   []control       `json:"-"`
	Status  messages.Status `json:"status"`
}

func (p *Pages) cluster(r *http.Request, who Who) (content, error) {
	st, err := p.cfg.Model.Status(context.WithValue(r.Context(), siteKey{}, site{})) // of this host, whichever was chosen
	if err != nil {
		return content{}, err
	}
	s := siteOf(r.Context())
	d := clusterPage{Role: cmp.Or(s.own().Role, "solo"), Status: st, Members: []memberRow{}}
	for _, m := range s.members {
		row := p.memberRow(m, s, who)
		if m.Role == "hub" && d.Role == "worker" {
			d.Hub = &row
		}
		if len(row.Concerns) > 0 {
			d.Away++
		}
		d.Members = append(d.Members, row)
	}
	if d.Role == "worker" {
		d.Leave = []control{{Label: "Leave…", Path: orderPath("leave", s.self, false), Hint: "say goodbye to the hub", Allowed: who.May("operator")}}
	}
	return content{view: "cluster", title: "Cluster", nav: "Cluster", data: d}, nil
}

func (p *Pages) memberRow(m messages.Member, s site, who Who) memberRow {
	now := p.cfg.Now()
	row := memberRow{Member: m, Self: m.HostUUID == s.self, Concerns: []string{}, CertTone: certTone(m, now)}
	if p.cfg.Concerns != nil && (!row.Self || s.own().Role != "worker") {
		row.Concerns = append(row.Concerns, p.cfg.Concerns(m, now)...)
	}
	if !s.hub() {
		return row
	}
	may := who.May("operator")
	switch {
	case m.Status == messages.MemberGone:
		row.Offers = []control{{Label: "Forget…", Path: orderPath("forget", m.HostUUID, false), Hint: "delete the rows that are left of it", Allowed: may, Danger: true}}
	case m.Paused:
		row.Offers = []control{{Label: "Undrain…", Path: orderPath("undrain", m.HostUUID, false), Hint: "have it write again", Allowed: may}}
	case m.Status == messages.MemberUp || m.Status == messages.MemberSuspect:
		row.Offers = []control{{Label: "Drain…", Path: orderPath("drain", m.HostUUID, false), Hint: "have it observe and write nothing", Allowed: may}}
	}
	return row
}

// Tone is the class of the status.
func (m memberRow) Tone() string { return memberTone(m.Status) }

func memberTone(s messages.MemberStatus) string {
	return map[messages.MemberStatus]string{messages.MemberUp: "good", messages.MemberSuspect: "warn", messages.MemberStale: "bad",
		messages.MemberNever: "warn", messages.MemberGone: "warn"}[s]
}

// certTone warns a month before a certificate ends. Source: the command line does so too.
func certTone(m messages.Member, now time.Time) string {
	switch left := m.CertExpires.Sub(now); {
	case m.CertExpires.IsZero():
		return "plain"
	case left <= 0:
		return "bad"
	case left < 30*24*time.Hour:
		return "warn"
	}
	return "plain"
}

// hostConcerns are what the overview says of other hosts.
func (p *Pages) hostConcerns(s site) []concern {
	var out []concern
	if p.cfg.Concerns == nil || !s.hub() || s.node.HostUUID != "" {
		return nil
	}
	for _, m := range s.members {
		if all := p.cfg.Concerns(m, p.cfg.Now()); len(all) > 0 {
			c := concern{Level: "warn", What: "host", Name: m.Name, State: string(m.Status), Since: m.Since, Why: strings.Join(all, "; "), Path: "/cluster"}
			if memberTone(m.Status) == "bad" {
				c.Level = "bad"
			}
			out = append(out, c)
		}
	}
	return out
}

// hostVerbs are ordered of a whole host.
var hostVerbs = []string{"drain", "undrain", "forget", "leave"}

// nameHost gives an order for a host the words a person knows it by.
func (s site) nameHost(d *actPage) {
	if !slices.Contains(hostVerbs, d.Verb.Name) || len(d.Targets) != 1 {
		return
	}
	d.Host = cmp.Or(s.find(d.Targets[0]).Name, d.Targets[0])
	if d.Verb.Name == "forget" {
		d.Type = d.Host
	}
}
