package unixsock

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func spec(path string) Spec {
	return Spec{Path: path, Group: "no-such-group", Name: "test", Owner: "a test", Remedy: "run it elsewhere"}
}

// bound is a socket that is listening, in a directory of its own.
func bound(t *testing.T) *Listener {
	t.Helper()
	return listen(t, spec(filepath.Join(t.TempDir(), "a.sock")))
}

func listen(t *testing.T, s Spec) *Listener {
	t.Helper()
	l, err := Listen(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dial(t *testing.T, path string) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestSocketIsForOwnerAndGroup(t *testing.T) {
	l := bound(t)
	info, err := os.Stat(l.path)
	if err != nil || info.Mode().Perm() != 0o660 || info.Mode().Type() != fs.ModeSocket {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Dir(l.path)); len(left) != 1 {
		t.Errorf("the directory has %v", left)
	}
}

func TestStaleSocketIsTakenOver(t *testing.T) {
	stale := bound(t)
	before := Identify(stale.path)
	if err := stale.Close(); err != nil || before != Identify(stale.path) {
		t.Fatalf("closing took the path away (%v)", err)
	}
	listen(t, spec(stale.path))
	dial(t, stale.path)
	if now := Identify(stale.path); now == before || now == (ID{}) {
		t.Errorf("the socket is still %v", now)
	}
}

func TestLiveSocketIsLeftAlone(t *testing.T) {
	l := bound(t)
	before := Identify(l.path)
	_, err := Listen(t.Context(), spec(l.path))
	if !errors.Is(err, ErrInUse) {
		t.Fatalf("got %v", err)
	}
	want := "test socket is in use: a test answers at " + strconv.Quote(l.path) + "; stop it first, or run it elsewhere"
	if err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if Identify(l.path) != before {
		t.Error("the socket was replaced")
	}
	dial(t, l.path)
}

func TestFileInTheWayIsLeftAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Listen(t.Context(), spec(path))
	if err == nil || errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "not a socket") || !strings.Contains(err.Error(), "run it elsewhere") {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Error("the file is gone")
	}
}

func TestOneOfManyServersWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := Listen(t.Context(), spec(path))
			if err == nil {
				won.Add(1)
				t.Cleanup(func() { _ = l.Close() })
			} else if !errors.Is(err, ErrInUse) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d servers took the path", won.Load())
	}
}

func TestRemoveTakesOnlyItsOwnSocketAway(t *testing.T) {
	first := bound(t)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := listen(t, spec(first.path))
	if err := first.Remove(); err != nil || Identify(first.path) == (ID{}) {
		t.Fatalf("the successor's socket is gone (%v)", err)
	}
	for range 2 {
		if err := second.Remove(); err != nil || Identify(second.path) != (ID{}) {
			t.Errorf("the socket stays (%v)", err)
		}
	}
}

func TestDirectoryIsMadeWhereThatIsAskedFor(t *testing.T) {
	s := spec(filepath.Join(t.TempDir(), "run", "a.sock"))
	if _, err := Listen(t.Context(), s); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not asked for: %v", err)
	}
	s.DirMode = 0o750
	listen(t, s)
	if info, err := os.Stat(filepath.Dir(s.Path)); err != nil || info.Mode().Perm()&^0o750 != 0 {
		t.Errorf("got %v, %v", info, err)
	}
	s.Path = filepath.Join(filepath.Dir(s.Path), "no", "parent", "a.sock")
	if _, err := Listen(t.Context(), s); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: %v", err)
	}
}

func TestPathThatNobodyCouldDialIsRefused(t *testing.T) {
	dir := t.TempDir()
	fits := filepath.Join(dir, strings.Repeat("s", MaxPath-len(dir)-1))
	listen(t, spec(fits))
	dial(t, fits)
	if _, err := Listen(t.Context(), spec(fits+"s")); err == nil || !strings.Contains(err.Error(), "longer than the 107 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestGroupThatMayNotBeGivenCountsAsSaid(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may give everything away")
	}
	s := spec(filepath.Join(t.TempDir(), "a.sock"))
	s.Group = "root"
	if groups, err := os.Getgroups(); err != nil || slices.Contains(groups, 0) {
		t.Skip("a member of the group may give it")
	}
	if _, err := Listen(t.Context(), s); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("required: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(s.Path)); len(left) != 0 {
		t.Errorf("a failed bind leaves %v", left)
	}
	s.GroupOptional = true
	listen(t, s)
}

func TestSocketIsGivenToItsGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may give to any group")
	}
	s := spec(filepath.Join(t.TempDir(), "run", "a.sock"))
	s.Group, s.DirMode = "daemon", 0o750
	listen(t, s)
	for _, path := range []string{s.Path, filepath.Dir(s.Path)} {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil || st.Gid == 0 {
			t.Errorf("%s belongs to group %d, %v", path, st.Gid, err)
		}
	}
}
