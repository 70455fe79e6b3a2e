package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/decnet/decnet-fleetd/adapters/console/web"
)

// consoleWeb lets a browser on this machine through to the control socket until it is interrupted. Nothing listens but
// while it runs, and what the browser does the daemon sees the user do who runs it.
func (a *app) consoleWeb(ctx context.Context, listen string) error {
	if a.node != "" {
		return usage(errors.New("--web shows every host of the cluster: --node has no meaning for it"), "choose the node at the top of the page")
	}
	s, _, err := a.settings(true)
	if err != nil {
		return err
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.Status(ctx); err != nil { // said here rather than in the browser
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen for browsers: %w", err)
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.ControlSocket)
	}
	gate, err := web.NewGate(l.Addr(), web.Through(dial), time.Now)
	if err != nil {
		_ = l.Close() // nobody has connected
		return usage(fmt.Errorf("--listen is %q: %w", listen, err), "it is like 127.0.0.1:8844; from elsewhere forward the socket with ssh -L")
	}
	fmt.Fprintf(a.err, "The link works once, for a minute. Enter prints another; Ctrl-C ends it.\n")
	fmt.Fprintln(a.out, gate.Link())
	if term.IsTerminal(int(os.Stdin.Fd())) {
		go func() { // ends with the process
			for in := bufio.NewScanner(os.Stdin); in.Scan(); {
				fmt.Fprintln(a.out, gate.Link())
			}
		}()
	}
	return serveGate(ctx, l, gate)
}

// gateEnd is how long requests may still take at the end. Chosen: streams end at once.
const gateEnd = 250 * time.Millisecond

func serveGate(ctx context.Context, l net.Listener, gate http.Handler) error {
	h := &http.Server{Handler: gate, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	stop := context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.Background(), gateEnd)
		defer cancel()
		if h.Shutdown(last) != nil {
			_ = h.Close() // what is still open is cut
		}
	})
	defer stop()
	if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve browsers: %w", err)
	}
	return nil
}
