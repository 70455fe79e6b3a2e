package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/adapters/console/web"
	"github.com/decnet/decnet-fleetd/messages"
)

// pages makes the console's pages over the API. The questions many pages have, and whose answers are long, are put to the
// daemon directly.
func pages(b console.Backend, feed *console.Feed, node string, hub bool, log zerolog.Logger) (func(api http.Handler) http.Handler, error) {
	late := &lateHandler{}
	short := web.Shortcuts{
		Actors: func(ctx context.Context) ([]messages.ActorStatus, error) {
			l, err := askLong[messages.ActorList](ctx, b, messages.GetActors{})
			return l.Items, err
		},
		Deckies: func(ctx context.Context) ([]messages.DeckyStatus, error) {
			return askLong[[]messages.DeckyStatus](ctx, b, messages.GetDeckies{})
		},
		Events: func(q web.EventQuery) web.EventPage { return eventPage(feed, q) },
	}
	if hub { // its lists are made of those of many, which the API does
		short = web.Shortcuts{}
	}
	p, err := web.New(web.Config{Model: web.OverAPI(late, short), Now: time.Now, Escape: escape, Node: node, Log: log, Concerns: console.Concerns})
	if err != nil {
		return nil, fmt.Errorf("make the console's pages: %w", err)
	}
	return func(api http.Handler) http.Handler {
		late.Handler = api
		return p
	}, nil
}

// lateHandler is the API, which is there after the pages that ask it.
type lateHandler struct{ http.Handler }

// longWait is as long as the API waits for the same answers.
const longWait = 2 * time.Second

func askLong[T any](ctx context.Context, b console.Backend, question any) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, longWait)
	defer cancel()
	var all T
	a, err := b.Ask(ctx, question)
	if err != nil {
		return all, err
	}
	all, ok := a.(T)
	if !ok {
		return all, fmt.Errorf("the answer to %T is a %T", question, a)
	}
	return all, nil
}

func eventPage(feed *console.Feed, q web.EventQuery) web.EventPage {
	since := q.Since
	if since <= 0 {
		since = -1 // the newest
	}
	l := feed.Page(console.Query{Since: since, Limit: q.Limit, Type: q.Type, Target: q.Target, NotBefore: q.NotBefore, Names: q.Names})
	return web.EventPage{Items: l.Items, Seq: l.Seq, Gap: l.Gap}
}
