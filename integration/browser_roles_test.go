package integration

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/console"     //nolint:depguard // the roles of others need a socket whose groups the test chooses
	"github.com/decnet/decnet-fleetd/adapters/console/web" //nolint:depguard // the same
	"github.com/decnet/decnet-fleetd/messages"             //nolint:depguard // the same
)

// Group ids of this test; the host need not have such groups: the kernel tells numbers.
const (
	lookers = 64001
	actors  = 64002
)

// oneDecky is a backend that knows one decky and counts what it is ordered.
type oneDecky struct{ orders atomic.Int64 }

func (b *oneDecky) Ask(_ context.Context, question any) (any, error) {
	d := messages.DeckyStatus{HostUUID: "local", Name: "web-01", State: "running", Phase: "quiet", Expected: []string{"ssh"}, Up: 1}
	switch q := question.(type) {
	case messages.GetStatus:
		return messages.Status{HostUUID: "local", Role: "owner", Deckies: map[string]int{"running": 1}}, nil
	case messages.GetDeckies:
		return []messages.DeckyStatus{d}, nil
	case messages.GetInspection:
		return messages.Inspection{Decky: d}, nil
	case messages.GetActors:
		return messages.ActorList{Items: []messages.ActorStatus{{PID: "decky/web-01", Kind: "decky", ID: "web-01", State: "running"}}}, nil
	case messages.GetCrashes:
		return []messages.CrashRecord{}, nil
	case messages.GetPauses:
		return []messages.Pause{}, nil
	case messages.Act:
		if !q.DryRun {
			b.orders.Add(1)
		}
		return []messages.ActionResult{{Name: "web-01", Before: "running", After: "running", Result: "done"}}, nil
	}
	return nil, errors.New("not part of this test")
}

// dialled is an answer of the thread that is somebody else.
type dialled struct {
	conn net.Conn
	err  error
}

// forwardAs is forward for somebody else: what reaches the socket has another user and group. The thread that takes them
// on is never given back.
func forwardAs(t *testing.T, socket string, uid, gid uintptr) string {
	t.Helper()
	wanted := make(chan chan dialled)
	go func() {
		runtime.LockOSThread()
		_, _, groups := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0)
		_, _, group := syscall.RawSyscall(syscall.SYS_SETRESGID, gid, gid, gid)
		_, _, user := syscall.RawSyscall(syscall.SYS_SETRESUID, uid, uid, uid)
		for answer := range wanted {
			if failed := max(groups, group, user); failed != 0 {
				answer <- dialled{err: failed}
				continue
			}
			c, err := net.Dial("unix", socket)
			answer <- dialled{c, err}
		}
	}()
	return forwardBy(t, func() (net.Conn, error) {
		answer := make(chan dialled, 1)
		wanted <- answer
		d := <-answer
		return d.conn, d.err
	}, func() { close(wanted) })
}

func TestTheBrowserLetsEachRoleDoWhatItMay(t *testing.T) {
	if os.Getuid() != 0 {
		lack(t, "the right to be somebody else: run it as root")
	}
	dir, err := os.MkdirTemp("", "roles") //nolint:usetesting // a socket needs a short path
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	backend, late := &oneDecky{}, &lateAPI{}
	pages, err := web.New(web.Config{Model: web.OverAPI(late, web.Shortcuts{}), Now: time.Now, Escape: func(s string) string { return s }, Node: "local", Log: zerolog.Nop()})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	srv, err := console.Listen(ctx, console.Config{Path: filepath.Join(dir, "s"), Backend: backend, Feed: console.NewFeed(0, 0), Node: "local", Now: time.Now, Log: zerolog.Nop(),
		Access: console.Access{Readers: []uint32{lookers}, Operators: []uint32{actors}}, Pages: func(api http.Handler) http.Handler { late.Handler = api; return pages }})
	must(t, err)
	must(t, os.Chmod(dir, 0o755))                     //nolint:gosec // others have to reach it
	must(t, os.Chmod(filepath.Join(dir, "s"), 0o666)) //nolint:gosec // the role decides, not the mode
	over := make(chan error, 1)
	go func() { over <- srv.Serve(ctx) }()
	t.Cleanup(func() { cancel(); must(t, <-over) })

	t.Run("read-only looks and no button works", func(t *testing.T) {
		b := openBrowser(t, forwardAs(t, filepath.Join(dir, "s"), 64101, lookers))
		b.visit("/deckies/local:web-01")
		b.holds(prompt, "document.querySelector('header').innerText.includes('read-only')")
		b.holds(prompt, "document.querySelectorAll('#offers [aria-disabled=true]').length >= 4 && !document.querySelector('a[href*=\"/act?\"]')")
		b.press("R") // the key of restart
		b.visit("/act?verb=restart&target=web-01")
		b.holds(prompt, "!document.querySelector('main form') && document.querySelector('main').innerText.includes('needs the role operator')")
		status, err := eval[int](b, "(() => { const x = new XMLHttpRequest(); x.open('POST', '/v1/actions/restart', false); x.setRequestHeader('Content-Type', 'application/json'); x.send('{\"targets\":[\"web-01\"]}'); return x.status })()")
		must(t, err)
		if status != 403 || backend.orders.Load() != 0 {
			t.Errorf("a script of the page that orders all the same: %d, %d orders", status, backend.orders.Load())
		}
	})
	t.Run("operator acts", func(t *testing.T) {
		b := openBrowser(t, forwardAs(t, filepath.Join(dir, "s"), 64102, actors))
		b.visit("/deckies/local:web-01")
		b.holds(prompt, "document.querySelector('header').innerText.includes('operator')")
		b.visit("/act?verb=restart&target=web-01")
		within, done := context.WithTimeout(b.tab, soon)
		defer done()
		must(t, chromedp.Do(within, chromedp.Click("main form button.primary")))
		b.holds(prompt, "document.querySelector('main').innerText.includes('done')")
		if backend.orders.Load() != 1 {
			t.Errorf("%d orders", backend.orders.Load())
		}
	})
	t.Run("a stranger sees nothing", func(t *testing.T) {
		answer, err := http.Get(forwardAs(t, filepath.Join(dir, "s"), 64103, 64103) + "/deckies")
		must(t, err)
		body, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if answer.StatusCode != 403 || strings.Contains(string(body), "web-01") {
			t.Errorf("%d %s", answer.StatusCode, body)
		}
	})
}

// lateAPI is the API, which is there after the pages that ask it.
type lateAPI struct{ http.Handler }
