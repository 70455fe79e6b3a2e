package faultproxy

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// between makes a proxy before a server that reads everything into the channel, a write at a time, and answers "ok".
func between(t *testing.T, split bufio.SplitFunc) (p *Proxy, dial func() net.Conn, got chan string) {
	t.Helper()
	dir := t.TempDir()
	server, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	got = make(chan string, 100)
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()              //nolint:errcheck // a test's server
				defer func() { got <- "" }() // its end
				lines := bufio.NewReader(c)
				for {
					line, err := lines.ReadString('\n')
					if line != "" {
						got <- line
					}
					if err != nil {
						return
					}
					_, _ = io.WriteString(c, "0123456789\n") // who has gone may have left something to read
				}
			}()
		}
	}()
	p, err = Listen(t.Context(), "unix", filepath.Join(dir, "p"), filepath.Join(dir, "s"), split)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(); _ = p.Close() })
	return p, func() net.Conn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(10 * time.Second)) // a test's own patience
		return c
	}, got
}

func line(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

func TestEachFaultDoesWhatItsNameSays(t *testing.T) {
	const said = "a1\nb2\nc3\nd4\n"
	for name, row := range map[string]struct {
		fault Fault
		want  string // what the server reads of it, until c3 or d4 or its end
	}{
		"none":      {Fault{}, "a1|b2|c3|d4"},
		"drop":      {Fault{Drop: 2}, "a1|c3"},
		"duplicate": {Fault{Duplicate: 2}, "a1|b2|b2|c3|d4|d4"},
		"reorder":   {Fault{Reorder: 2}, "a1|c3|b2"},
		"cut":       {Fault{CutAfter: 4}, "a1|b"},
		"truncate":  {Fault{Truncate: 1}, "abcd"},
		"swallow":   {Fault{Swallow: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, dial, got := between(t, line)
			p.Set(Faults{ToServer: row.fault})
			c := dial()
			if _, err := io.WriteString(c, said); err != nil {
				t.Fatal(err)
			}
			_ = c.(*net.UnixConn).CloseWrite() // the server sees the end after all of it
			var lines []string
			for l := range got {
				if l = strings.TrimSuffix(l, "\n"); l == "" {
					break
				}
				lines = append(lines, l)
				if len(lines) == strings.Count(row.want, "|")+1 {
					break
				}
			}
			if have := strings.Join(lines, "|"); have != row.want {
				t.Errorf("the server read %q, not %q", have, row.want)
			}
			if p.Chunks() == 0 {
				t.Error("no chunk was counted")
			}
		})
	}
}

func TestAnswerIsGivenInsteadOfTheServersAndHangEndsWithItsFault(t *testing.T) {
	p, dial, got := between(t, nil)
	p.Set(Faults{Answer: "HTTP/1.1 500 No\r\n\r\n"})
	c := dial()
	_, _ = io.WriteString(c, "hello\n") // read below
	if all, _ := io.ReadAll(c); string(all) != "HTTP/1.1 500 No\r\n\r\n" {
		t.Errorf("read %q", all)
	}
	p.Set(Faults{ToClient: Fault{Hang: true}})
	c = dial()
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	<-got
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes came through a hanging proxy", n)
	}
	p.Set(Faults{})
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}
