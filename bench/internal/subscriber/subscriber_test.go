package subscriber

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/wire"
)

// broker is a bus of the least kind: it fans out every PUB to the one subscriber.
func broker(t *testing.T, socket string) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	subscribers := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(c, subscribers)
		}
	}()
	return ln
}

func serve(c net.Conn, subscribers chan net.Conn) {
	for r := wire.NewReader(c); ; {
		f, err := r.Read()
		if err != nil {
			return
		}
		switch f.Verb {
		case "SUB":
			subscribers <- c
		case "PUB":
			s := <-subscribers
			f.Verb = "EVT"
			_, _ = s.Write(f.Append(nil))
			subscribers <- s
		}
	}
}

// publish sends one event.
func publish(t *testing.T, socket, topic, body string) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // everything is written
	if _, err := c.Write(wire.Frame{Verb: "PUB", Args: topic, Body: []byte(body)}.Append(nil)); err != nil {
		t.Fatal(err)
	}
}

func TestSubscriberWritesDownEveryEventAsOneLine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "b.sock")
	ln := broker(t, socket)
	t.Cleanup(func() { _ = ln.Close() })
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Run(ctx, socket, w) }()
	lines := bufio.NewScanner(r)
	entry := func() (e Entry) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("no line")
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		return e
	}
	if e := entry(); e.Topic != ReadyTopic {
		t.Fatalf("first line %+v", e)
	}
	for topic, body := range map[string]string{
		"decky.local:a.state":    `{"v":1,"payload":{"name":"a"}}`,
		"hostile \"topic\"":      `{}`,
		"an.event.of.many.lines": "{\n}",
		"no.json":                "\x00{",
		"nothing":                "",
	} {
		before := time.Now().UnixNano()
		publish(t, socket, topic, body)
		e := entry()
		if e.Topic != topic || e.At < before || strings.HasPrefix(topic, "decky") && string(e.Event) != body {
			t.Errorf("%s %q: %+v", topic, body, e)
		}
	}
	stop()
	_ = r.Close()
	if err := <-done; err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func TestPaddedFrameHasItsSize(t *testing.T) {
	for _, size := range []int{100, 300, 5000} {
		f := padded("bench.load.frames", size)
		if len(f) != size {
			t.Errorf("%d bytes, not %d", len(f), size)
		}
		if got, err := wire.NewReader(strings.NewReader(string(f))).Read(); err != nil || !json.Valid(got.Body) {
			t.Errorf("%d: %v, %s", size, err, got.Body)
		}
	}
}
