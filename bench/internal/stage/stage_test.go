package stage

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestReceivedLineIsCutNotDecoded(t *testing.T) {
	const line = `{"at":17,"topic":"decky.local:a.state","event":{"v":1,"payload":{"name":"a","state":"failed","rev":3,"event_id":"x"}}}`
	r, err := parseReceived([]byte(line))
	if err != nil || r.At != 17 || !r.IsState() {
		t.Fatalf("%+v, %v", r, err)
	}
	if e, err := r.Transition(); err != nil || e.Name != "a" || e.State != "failed" || e.Rev != 3 || e.EventID != "x" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, bad := range []string{"", "{}", `{"at":x,"topic":"a"}`, `{"at":1}`} {
		if _, err := parseReceived([]byte(bad)); !errors.Is(err, ErrLine) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if (Received{Topic: "system.bus.health"}).IsState() || (Received{Topic: "decky..state"}).IsState() {
		t.Error("another topic is taken for a state")
	}
}

func TestFeedGivesWhatCameAfterAMark(t *testing.T) {
	f := Follow(strings.NewReader("1\n2\n3\n"), func(line []byte) (string, error) { return string(line), nil })
	got, err := f.Await(t.Context(), 1, time.Minute, func(s string) bool { return s != "2" })
	if err != nil || got != "3" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := f.Await(t.Context(), 0, time.Minute, func(string) bool { return false }); err == nil {
		t.Error("a feed that ended is waited for")
	}
	if f.Len() != 3 || len(f.Since(2)) != 1 {
		t.Errorf("%d items, %v", f.Len(), f.Since(2))
	}
}

func TestProcIsRead(t *testing.T) {
	m, err := MemoryOf(os.Getpid())
	if err != nil || m.RSS < 1000 || m.Peak < m.RSS {
		t.Errorf("memory %+v, %v", m, err)
	}
	if n, err := FilesOf(os.Getpid()); err != nil || n < 3 {
		t.Errorf("%d files, %v", n, err)
	}
	before, err := CPUOf(os.Getpid())
	for began := time.Now(); err == nil && time.Since(began) < 60*time.Millisecond; {
		_ = strings.Repeat("x", 1000) // work
	}
	if after, err2 := CPUOf(os.Getpid()); err != nil || err2 != nil || after <= before {
		t.Errorf("processor %v, then %v: %v, %v", before, after, err, err2)
	}
}

func TestHostHasDecnetsDatabase(t *testing.T) {
	h, err := New(t.Context(), "/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	states, err := h.States(t.Context())
	if err != nil || len(states) != 0 {
		t.Errorf("%v, %v", states, err)
	}
	if err := h.Declare(Fleet(1, 3, "ssh")); err != nil {
		t.Error(err)
	}
	if err := h.Close(false); err != nil {
		t.Error(err)
	}
}
