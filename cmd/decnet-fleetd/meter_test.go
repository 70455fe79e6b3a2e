package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/actors/view"
	"github.com/decnet/decnet-fleetd/adapters/metrics"
	"github.com/decnet/decnet-fleetd/messages"
)

// TestAScrapeIsAnsweredWhileEveryActorIsStuck: the view and a store that hang are what metrics are looked at for.
func TestAScrapeIsAnsweredWhileEveryActorIsStuck(t *testing.T) {
	p := parts{crew: &crew{}, board: &view.Board{}}
	var err error
	p.metrics, err = metrics.New(metrics.Config{Version: "v", Started: time.Now(), Now: time.Now, Status: p.board.Status, Crews: p.crew.list})
	if err != nil {
		t.Fatal(err)
	}
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop(), OnEvent: p.supervised})
	if err != nil {
		t.Fatal(err)
	}
	p.crew.sys.Store(sys)
	hang, hanging := make(chan struct{}), make(chan struct{}, 2)
	var refs []*supervise.Ref
	for _, kind := range []string{"view", "store"} {
		refs = append(refs, sys.Spawn(supervise.Spec{Kind: kind, ID: kind, Mailbox: 2, New: p.metered(kind, func() supervise.Receiver {
			return supervise.Func(func(_ *supervise.Ctx, msg any) {
				if _, is := msg.(messages.Tick); is {
					hanging <- struct{}{}
					<-hang
				}
			})
		})}))
	}
	for _, r := range refs {
		r.Tell(messages.Tick{})
	}
	for range refs {
		<-hanging
	}
	for range 5 {
		refs[1].Tell(messages.DeckyGone{}) // two fit
	}
	began := time.Now()
	w := httptest.NewRecorder()
	p.metrics.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	took := time.Since(began)
	if took > 50*time.Millisecond {
		t.Errorf("the scrape took %s", took)
	}
	for _, want := range []string{`dead_letters_total{kind="store"} 3`, `mailbox_depth_max{kind="store"} 2`, `messages_total{kind="store",type="Started"} 1`} {
		if !strings.Contains(w.Body.String(), "decnet_fleetd_"+want) {
			t.Errorf("%s is missing in\n%s", want, w.Body.String())
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if alive(ctx, refs[1]) == nil {
		t.Error("a stuck actor answers")
	}
	close(hang)
	for errors.Is(alive(t.Context(), refs[1]), supervise.ErrFull) { // it has just begun to work through its mailbox
		runtime.Gosched()
	}
	if err := alive(t.Context(), refs[1]); err != nil {
		t.Error(err)
	}
	if err := sys.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestDeadLettersOfActorsThatAreGoneStayCounted: a counter never goes back.
func TestDeadLettersOfActorsThatAreGoneStayCounted(t *testing.T) {
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	r := sys.Spawn(supervise.Spec{Kind: "decky", ID: "d", New: func() supervise.Receiver { return supervise.Func(func(*supervise.Ctx, any) {}) }})
	sys.Retire(r)
	r.Tell(messages.DeckyGone{})
	if err := sys.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Tell(messages.DeckyGone{})
	if n := sys.DeadLetters()["decky"]; n != 2 || len(sys.Refs()) != 0 {
		t.Errorf("%d dead letters, %d actors", n, len(sys.Refs()))
	}
}

// BenchmarkMessage is what an actor pays for a message, without and with a meter.
func BenchmarkMessage(b *testing.B) {
	m, err := metrics.New(metrics.Config{Version: "v", Started: time.Now(), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	idle := supervise.Func(func(*supervise.Ctx, any) {})
	for name, r := range map[string]supervise.Receiver{"bare": idle, "metered": onMeter(idle, m.Meter("decky"))} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.Receive(nil, messages.DeckyGone{})
			}
		})
	}
}

// BenchmarkScrape is one answer with 10,000 actors.
func BenchmarkScrape(b *testing.B) {
	w := &crew{}
	m, err := metrics.New(metrics.Config{Version: "v", Started: time.Now(), Now: time.Now, Crews: w.list})
	if err != nil {
		b.Fatal(err)
	}
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	w.sys.Store(sys)
	for n := range 10_000 {
		sys.Spawn(supervise.Spec{Kind: "decky", ID: strconv.Itoa(n), New: func() supervise.Receiver { return supervise.Func(func(*supervise.Ctx, any) {}) }})
	}
	for b.Loop() {
		m.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/metrics", http.NoBody))
	}
	b.StopTimer()
	if err := sys.Shutdown(context.Background()); err != nil {
		b.Fatal(err)
	}
}
