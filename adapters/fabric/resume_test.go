package fabric

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestAHubKilledThriceUnderAStreamLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ca.issue(t, "w1")
	c := child{Role: "hub", Listen: freeAddress(t), Files: w.master.Files, Book: filepath.Join(t.TempDir(), "book"),
		Pins: []messages.Pin{{HostUUID: host1, Name: "w1", Fingerprint: id.fp}}}
	w.cfg.Listen = c.Listen
	kill := c.spawn(t)
	s := w.dial(w.config(host1, id))
	done := make(chan struct{})
	const total, step = 6000, 20
	go func() { // the worker's outbox: what is not acknowledged is shipped again
		defer close(done)
		for next := 1; next <= total && t.Context().Err() == nil; {
			if _, err := s.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, next, step)}); err == nil {
				next += step
				continue
			} else if !errors.Is(err, ErrAway) && !errors.Is(err, context.Canceled) {
				t.Errorf("ship: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	for i := 1; i <= 3; i++ {
		waitFor(t, "progress", func() bool { return len(booked(c.Book)) > i*500 })
		kill()
		s.becomes(messages.LinkAway)
		kill = c.spawn(t)
		s.becomes(messages.LinkConnected)
	}
	select {
	case <-done:
	case <-time.After(2 * patience):
		t.Fatal("the stream does not end")
	}
	got := booked(c.Book)
	for n := 1; n <= total; n++ {
		if !got[transition(host1, n).EventID] {
			t.Fatalf("%d was acknowledged and is not there; %d of %d are", n, len(got), total)
		}
	}
}

func TestAKilledWorkerIsMissedAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	c := child{Role: "worker", Listen: w.cfg.Listen, Files: id.Files, Host: host1}
	kill := c.spawn(t)
	for i := 1; i <= 3; i++ {
		w.until("up", func() bool { return len(w.events) == 2*i-1 && w.events[2*i-2].Up })
		kill()
		w.until("down", func() bool { return len(w.events) == 2*i && !w.events[2*i-1].Up && !w.events[2*i-1].Graceful })
		kill = c.spawn(t)
	}
}

func TestAWorkerOutlivesItsHubsRestartWithItsBatchUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	entered := make(chan struct{}, 1)
	release := make(chan struct{})
	w.note(func() {
		w.deliverF = func(string) {
			select {
			case entered <- struct{}{}:
			default:
			}
			<-release
		}
	})
	done := make(chan error, 1)
	go func() {
		_, err := s.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, 1, 1)})
		done <- err
	}()
	<-entered
	closed := make(chan struct{})
	go func() {
		w.hub.Close()
		close(closed)
	}()
	if err := <-done; !errors.Is(err, ErrAway) {
		t.Fatalf("the batch ended with %v, not with its connection", err)
	}
	close(release)
	<-closed
	w.start()
	s.becomes(messages.LinkConnected)
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.got[host1]) != 1 {
		t.Errorf("committed %d times", len(w.got[host1]))
	}
}

func TestAWorkerWithoutAHubKeepsTryingAndSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Listen = freeAddress(t)
	id := w.ca.issue(t, "w1")
	s := w.dial(w.config(host1, id))
	st := s.becomes(messages.LinkAway)
	if st.Fault == nil || st.Fault.Where != w.cfg.Listen {
		t.Errorf("it says %+v", st.Fault)
	}
	if _, err := s.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, 1, 1)}); !errors.Is(err, ErrAway) {
		t.Errorf("ship: %v", err)
	}
	w.enrol(host1, "w1", id)
	w.start()
	s.becomes(messages.LinkConnected)
}

// A link that takes everything and delivers nothing looks like a connection to both sides.
func TestASilentCutIsNoticedAndHealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	p := newPipe(t, w.cfg.Listen)
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	cfg := w.config(host1, id)
	cfg.Hub = "tls://" + p.address()
	s := w.dial(cfg)
	s.becomes(messages.LinkConnected)
	p.cut(true)
	s.becomes(messages.LinkAway)
	w.until("down", func() bool { return len(w.events) == 2 && !w.events[1].Up })
	p.cut(false)
	s.becomes(messages.LinkConnected)
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)})
}

func TestPlainTCPWhereTheHubShouldBeIsSaidSo(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer shut(l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			shut(c)
		}
	}()
	w := newWorld(t)
	w.cfg.Listen = l.Addr().String()
	if st := w.dial(w.config(host1, w.ca.issue(t, "w1"))).becomes(messages.LinkRefused); st.Fault.What != "does not speak TLS" {
		t.Errorf("it says %v", st.Fault)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer shut(l)
	return l.Addr().String()
}
