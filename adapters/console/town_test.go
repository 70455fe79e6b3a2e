package console

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

const (
	hubID  = "local"
	oneID  = "11111111-1111-4111-8111-111111111111"
	twoID  = "22222222-2222-4222-8222-222222222222"
	goneID = "33333333-3333-4333-8333-333333333333"
)

// town is a cluster in memory: a hub on a real socket, and workers that it reaches by calls.
type town struct {
	mu      sync.Mutex
	members []messages.Member
	workers map[string]*outpost
	left    []messages.LeaveCluster
	forgot  []messages.ForgetHost
	fail    error // of all questions about the cluster
}

// outpost is a worker.
type outpost struct {
	crew   *crew
	book   *book
	server *Server
	feed   *Feed
	lists  int // how often its deckies were asked for
	cut    chan struct{}
}

func (c *town) ask(question any) (any, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch q := question.(type) {
	case messages.GetMembers:
		return slices.Clone(c.members), true, c.fail
	case messages.GetOwners:
		return []messages.Owner{{HostUUID: hubID, Name: "master", Owner: "i1", Token: 3, Ours: true}, {HostUUID: oneID, Name: "w1"}}, true, c.fail
	case messages.LeaveCluster:
		c.left = append(c.left, q)
		return messages.Alive{}, true, c.fail
	case messages.ForgetHost:
		c.forgot = append(c.forgot, q)
		return messages.Forgotten{HostUUID: goneID, Deckies: []string{"old-1", "old-2"}, DryRun: q.DryRun}, true, c.fail
	}
	return nil, false, nil
}

func (c *town) status(host string, s messages.MemberStatus, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.members {
		if c.members[i].HostUUID == host {
			c.members[i].Status, c.members[i].Why = s, why
		}
	}
}

// townsman answers for a crew, and what the cluster is asked.
type townsman struct {
	*crew
	town *town
}

func (b townsman) Ask(ctx context.Context, question any) (any, error) {
	if a, known, err := b.town.ask(question); known {
		return a, err
	}
	return b.crew.Ask(ctx, question)
}

type askerKeyOfTest struct{}

// call is the fabric.
func (c *town) call(ctx context.Context, host string, who messages.Asker, r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	o := c.workers[host]
	if o != nil && r.URL.Path == "/v1/deckies" {
		o.lists++
	}
	c.mu.Unlock()
	if o == nil {
		return nil, ErrUnknownMember
	}
	pr, pw := io.Pipe()
	w := &piped{header: http.Header{}, to: pw, began: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, askerKeyOfTest{}, who))
	go func() {
		o.server.Proxied(askerOfTest).ServeHTTP(w, r.WithContext(ctx))
		w.WriteHeader(http.StatusOK)
		_ = pw.Close()
	}()
	go func() {
		select {
		case <-o.cut:
			_ = pw.CloseWithError(ErrAway)
		case <-ctx.Done():
		}
	}()
	select {
	case <-w.began:
		return &http.Response{StatusCode: w.status, Header: w.header, Body: &pipedBody{pr, cancel}}, nil
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
}

func askerOfTest(ctx context.Context) (messages.Asker, bool) {
	a, ok := ctx.Value(askerKeyOfTest{}).(messages.Asker)
	return a, ok
}

type piped struct {
	header http.Header
	to     *io.PipeWriter
	status int
	began  chan struct{}
	once   sync.Once
}

func (p *piped) Header() http.Header { return p.header }
func (p *piped) WriteHeader(s int)   { p.once.Do(func() { p.status = s; close(p.began) }) }
func (p *piped) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return p.to.Write(b)
}
func (p *piped) Flush() { p.WriteHeader(http.StatusOK) }

type pipedBody struct {
	*io.PipeReader
	cancel func()
}

func (b *pipedBody) Close() error { b.cancel(); return b.PipeReader.Close() }

// found makes a cluster of a hub and two workers, each with deckies.
func found(t *testing.T, change func(*Config)) (*ship, *town) {
	t.Helper()
	c := &town{workers: map[string]*outpost{}, members: []messages.Member{
		{HostUUID: hubID, Name: "master", Role: "hub", Status: messages.MemberUp, LastContact: messages.Moment{Time: time.Now()}, Deckies: 2, Version: "v1"},
		{HostUUID: oneID, Name: "w1", Role: "worker", Status: messages.MemberUp, LastContact: messages.Moment{Time: time.Now()}, Deckies: 1},
		{HostUUID: twoID, Name: "w2", Role: "worker", Status: messages.MemberUp, LastContact: messages.Moment{Time: time.Now()}, Deckies: 1},
		{HostUUID: goneID, Name: "w3", Role: "worker", Status: messages.MemberGone, Deckies: 2},
	}}
	for host, name := range map[string]string{oneID: "web-01", twoID: "web-02"} {
		o := &outpost{book: &book{}, cut: make(chan struct{}), crew: &crew{fleet: fleet{status: messages.Status{HostUUID: host},
			deckies: []messages.DeckyStatus{{HostUUID: "a lie", Name: name, State: "running", Node: "another"}}}}}
		launchWith(t, host, o)
		c.workers[host] = o
	}
	s := launch(t, func(cfg *Config) {
		cfg.Backend, cfg.AskMember = townsman{cfg.Backend.(*crew), c}, c.call
		if change != nil {
			change(cfg)
		}
	})
	return s, c
}

func launchWith(t *testing.T, host string, o *outpost) {
	t.Helper()
	u := startWith(t, func(c *Config) { c.Backend, c.Audit, c.Node, c.Taps = o.crew, o.book, host, &fakeTaps{} })
	o.server, o.feed = u.server, u.feed
}

// ticker is a clock that is set.
type ticker struct {
	mu sync.Mutex
	at time.Time
}

func (c *ticker) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *ticker) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type answerOfTest struct {
	header http.Header
	status int
	bytes.Buffer
}

func (a *answerOfTest) Header() http.Header { return a.header }
func (a *answerOfTest) WriteHeader(s int)   { a.status = s }
