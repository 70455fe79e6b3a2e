package journal

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnEntryIsOneDatagramOfTheNativeProtocol(t *testing.T) {
	dir, err := os.MkdirTemp("", "j") //nolint:usetesting // a socket's path holds 107 bytes, t.TempDir's is longer
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	at := filepath.Join(dir, "socket")
	w, err := Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close() //nolint:errcheck // nothing is kept
	if err := w.Send([]Field{{"MESSAGE", "x"}}); err == nil {
		t.Error("nobody listens, and that is no error")
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: at, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only read
	if err := w.Send([]Field{{"PRIORITY", "6"}, {"MESSAGE", "one\ntwo"}, {"DECNET_DECKY", "a=b"}}); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := c.Read(b)
	want := "PRIORITY=6\nMESSAGE\n\x07\x00\x00\x00\x00\x00\x00\x00one\ntwo\nDECNET_DECKY=a=b\n"
	if err != nil || string(b[:n]) != want {
		t.Errorf("%q, %v", b[:n], err)
	}
}

func TestNoNameIsOneThatJournaldDrops(t *testing.T) {
	valid := regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		if got := Name(text); got != "" && !valid.MatchString(got) {
			t.Errorf("%q becomes %q", text, got)
		}
		if got := Name("DECNET_" + text); !valid.MatchString(got) || !strings.HasPrefix(got, "DECNET_") {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}
