package console

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func codeOf(t *testing.T, err error) Code {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v is a %T", err, err)
	}
	if e.Hint == "" {
		t.Errorf("%v has no hint", err)
	}
	return e.Code
}

func closed(t *testing.T, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestClientTellsWhyNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewClient(filepath.Join(dir, "none"), 0).Status(t.Context()); codeOf(t, err) != NotReachable {
		t.Errorf("no socket: %v", err)
	}
	// Root may open anything: only the kernel's word can be tried here.
	denied := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)}
	if err := NewClient("x", 0).failed(t.Context(), denied); codeOf(t, err) != Permission {
		t.Errorf("no permission: %v", err)
	}
	path := filepath.Join(dir, "deaf")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, l)
	c := NewClient(path, 50*time.Millisecond)
	if _, err := c.Status(t.Context()); codeOf(t, err) != Timeout {
		t.Errorf("a deaf daemon: %v", err)
	}
	c.Close()
}

func TestClientPassesOnWhatTheDaemonSays(t *testing.T) {
	u := start(t, &fleet{deckies: twoDeckies})
	if _, err := u.client.Decky(t.Context(), "local:nobody"); codeOf(t, err) != NotFound {
		t.Errorf("an unknown decky: %v", err)
	}
	list, err := u.client.Deckies(t.Context(), "decky-*")
	if err != nil || len(list.Items) != 1 || list.Kind != "deckies" {
		t.Errorf("got %+v, %v", list, err)
	}
	fill(u.feed, 3)
	page, err := u.client.Events(t.Context(), Query{Since: 1, Limit: 1})
	if err != nil || len(page.Items) != 1 || page.Items[0].Seq != 2 || !page.More {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestClientHearsAHangingDaemonsTimeout(t *testing.T) {
	u := start(t, &fleet{hang: true})
	if _, err := u.client.Status(t.Context()); codeOf(t, err) != Timeout {
		t.Errorf("got %v", err)
	}
}

func TestClientStreamsUntilTheDaemonGoes(t *testing.T) {
	u := start(t, &fleet{})
	fill(u.feed, 10)
	var items []Item
	err := u.client.Stream(t.Context(), Query{Since: 1}, func(i Item) error {
		if items = append(items, i); i.Event.Seq == 10 {
			u.stop()
		}
		return nil
	})
	if err != nil {
		t.Errorf("the end of the daemon is %v, want nil", err)
	}
	if len(items) != 9 || items[0].Reset.Dropped != 1 || items[1].Event.Seq != 3 {
		t.Errorf("got %+v", items)
	}
	if err := u.client.Stream(t.Context(), Query{Since: -1}, nil); codeOf(t, err) != NotReachable {
		t.Errorf("after its end: %v", err)
	}
}

func TestClientStreamEndsWithItsContext(t *testing.T) {
	u := start(t, &fleet{})
	ctx, cancel := context.WithCancel(t.Context())
	go u.feed.Append(messages.Event{Type: "x"})
	err := u.client.Stream(ctx, Query{Since: 0}, func(Item) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
