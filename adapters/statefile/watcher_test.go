package statefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; quiet how long it listens for what must not.
const (
	patience = 10 * time.Second
	quiet    = 300 * time.Millisecond
)

// watching is a Watcher at work on a file in a directory of the test.
type watching struct {
	t        *testing.T
	path     string
	poke     chan struct{}
	readings chan messages.DeclaredRead
	last     messages.DeclaredRead
}

// slow is a poll that never comes in a test: what is seen was seen by inotify.
var slow = Settings{Poll: time.Hour}

// fast is a poll that finds everything.
var fast = Settings{Poll: 20 * time.Millisecond}

// watch observes path and waits for the first reading.
func watch(t *testing.T, path string, s Settings, prepare func(*Watcher)) *watching {
	t.Helper()
	w, err := NewWatcher(Config{Path: path, Now: time.Now, Settings: s})
	must(t, err)
	if prepare != nil {
		prepare(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &watching{t: t, path: path, poke: make(chan struct{}), readings: make(chan messages.DeclaredRead)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Observe(ctx, func(f func()) { go f() }, g.poke, func(r messages.Reading) {
			d, _ := r.(messages.DeclaredRead)
			select {
			case g.readings <- d:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	g.next()
	return g
}

func (g *watching) next() messages.DeclaredRead {
	g.t.Helper()
	select {
	case g.last = <-g.readings:
	case <-time.After(patience):
		g.t.Fatalf("no further reading; the last was %v %v", g.last.Status, g.last.Fault)
	}
	return g.last
}

// until waits for a reading that satisfies ok.
func (g *watching) until(what string, ok func(messages.DeclaredRead) bool) {
	g.t.Helper()
	for deadline := time.Now().Add(patience); !ok(g.last); {
		if time.Now().After(deadline) {
			g.t.Fatalf("never %s", what)
		}
		g.next()
	}
}

func (g *watching) untilNames(names ...string) {
	g.t.Helper()
	g.until(fmt.Sprint(names), func(r messages.DeclaredRead) bool {
		var got []string
		for _, e := range r.Entries {
			got = append(got, e.Name)
		}
		return r.Status == messages.FileValid && slices.Equal(got, names)
	})
}

func (g *watching) untilStatus(s messages.FileStatus) {
	g.t.Helper()
	g.until(s.String(), func(r messages.DeclaredRead) bool { return r.Status == s })
}

func (g *watching) silent() {
	g.t.Helper()
	select {
	case r := <-g.readings:
		g.t.Errorf("a reading nobody needs: %v %v", r.Status, r.Fault)
	case <-time.After(quiet):
	}
}

// replace puts content in place by a rename, as careful writers do; write (of the readers' tests) truncates.
func (g *watching) replace(raw []byte) {
	g.t.Helper()
	write(g.t, g.path+".new", raw)
	must(g.t, os.Rename(g.path+".new", g.path))
}

func TestEveryChangeIsSeen(t *testing.T) {
	for name, s := range map[string]Settings{"by inotify": slow, "by looking": fast} {
		t.Run(name, func(t *testing.T) {
			g := watch(t, filepath.Join(t.TempDir(), FileName), s, func(w *Watcher) {
				if s == fast {
					w.watch = func(string) (*notifier, error) { return nil, errors.New("no space left on device") }
				}
			})
			if g.last.Status != messages.FileMissing {
				t.Fatalf("at first %v", g.last.Status)
			}
			write(t, g.path, fleet(named(`"a"`)))
			g.untilNames("a")
			write(t, g.path, fleet(named(`"b"`)))
			g.untilNames("b")
			g.replace(fleet(named(`"c"`)))
			g.untilNames("c")
			write(t, g.path, []byte(`{"config`))
			g.untilStatus(messages.FileInvalid)
			write(t, g.path, fleet(named(`"c"`)))
			g.untilNames("c")
			must(t, os.Chmod(g.path, 0o666))
			g.untilStatus(messages.FileInvalid)
			must(t, os.Chmod(g.path, 0o600))
			g.untilStatus(messages.FileValid)
			must(t, os.Remove(g.path))
			g.untilStatus(messages.FileMissing)
		})
	}
}

func TestNothingNewIsNotTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	g := watch(t, path, fast, nil)
	g.silent()
	g.replace(fleet(named(`"a"`)))
	write(t, filepath.Join(filepath.Dir(path), "decnet.db-wal"), []byte("x"))
	g.silent()
	must(t, os.Remove(path))
	g.untilStatus(messages.FileMissing)
	g.silent()
}

func TestPokeIsAnsweredWithANewLook(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	g := watch(t, path, slow, nil)
	first := g.last
	for range 3 {
		asked := time.Now()
		g.poke <- struct{}{}
		if r := g.next(); r.ReadAt.Before(asked) || r.Status != messages.FileValid || &r.Entries[0] != &first.Entries[0] {
			t.Errorf("%v at %v, asked at %v", r.Status, r.ReadAt, asked)
		}
	}
	close(g.poke) // whoever closes it asks no more
	g.silent()
}

func TestDirectoryMayGoAndComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	must(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, FileName)
	write(t, path, fleet(named(`"a"`)))
	g := watch(t, path, fast, nil)
	for i := range 3 {
		must(t, os.RemoveAll(dir))
		g.untilStatus(messages.FileUnreachable)
		must(t, os.Mkdir(dir, 0o700))
		g.untilStatus(messages.FileMissing)
		write(t, path, fleet(named(fmt.Sprintf(`"b%d"`, i))))
		g.untilNames(fmt.Sprintf("b%d", i))
	}
}

func TestWatchFollowsALinkedDirectoryToItsNewPlace(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"one", "two"} {
		must(t, os.Mkdir(filepath.Join(root, d), 0o700))
		write(t, filepath.Join(root, d, FileName), fleet(named(`"`+d+`"`)))
	}
	link := filepath.Join(root, "link")
	must(t, os.Symlink("one", link))
	g := watch(t, filepath.Join(link, FileName), slow, nil)
	must(t, os.Symlink("two", link+".new"))
	must(t, os.Rename(link+".new", link))
	g.poke <- struct{}{} // inotify does not see where a link points
	g.untilNames("two")
	g.replace(fleet(named(`"three"`)))
	g.untilNames("three")
}

// TestWatchIsRenewedWithItsDirectory: after a single look the new directory is watched, whatever its inode number,
// and whether or not anybody looked while it was gone.
func TestWatchIsRenewedWithItsDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	must(t, os.Mkdir(dir, 0o700))
	g := watch(t, filepath.Join(dir, FileName), slow, nil)
	for i := range 6 {
		must(t, os.RemoveAll(dir))
		if i%2 == 0 {
			g.untilStatus(messages.FileUnreachable) // inotify tells that the directory itself went
		}
		must(t, os.Mkdir(dir, 0o700))
		g.poke <- struct{}{}
		g.untilStatus(messages.FileMissing)
		write(t, g.path, fleet(named(fmt.Sprintf(`"d%d"`, i))))
		g.untilNames(fmt.Sprintf("d%d", i))
	}
}

func TestExhaustedInotifyIsSaidAndMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	mend := make(chan struct{})
	g := watch(t, path, fast, func(w *Watcher) {
		// A minute later: the file is settled, so that nothing but the watch is a reason to look.
		w.cfg.Now = func() time.Time { return time.Now().Add(time.Minute) }
		w.watch = func(dir string) (*notifier, error) {
			select {
			case <-mend:
				return watchDir(dir)
			default:
				return nil, errors.New("too many open files")
			}
		}
	})
	blind := func(r messages.DeclaredRead) bool {
		return slices.ContainsFunc(r.Warnings, func(f messages.Fault) bool { return strings.Contains(f.What, "too many open files") })
	}
	if !blind(g.last) || g.last.Status != messages.FileValid {
		t.Fatalf("%v, warnings %v", g.last.Status, g.last.Warnings)
	}
	g.silent()
	close(mend)
	g.until("mended", func(r messages.DeclaredRead) bool { return !blind(r) })
}

func TestChangesDuringASlowHandlingAreSeenAfterwards(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	g := watch(t, path, slow, nil)
	g.poke <- struct{}{} // the answer is not taken yet: emit blocks
	for i := range 500 {
		g.replace(fleet(named(fmt.Sprintf(`"d%d"`, i))))
	}
	g.untilNames("d499")
}

// TestFileThatNeverRestsIsReadInIntervals: 100 changes a second for a second are at most one look per 50 ms, and the
// last content wins.
func TestFileThatNeverRestsIsReadInIntervals(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	g := watch(t, path, slow, nil)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	readings, start := 0, time.Now()
	for i := 0; i < 100; {
		select {
		case g.last = <-g.readings:
			readings++
		case <-tick.C:
			g.replace(fleet(named(fmt.Sprintf(`"d%d"`, i))))
			i++
		}
	}
	limit := int(time.Since(start)/(50*time.Millisecond)) + 1
	g.untilNames("d99")
	if readings > limit || readings < 2 {
		t.Errorf("%d readings in %v, want 2 to %d", readings, time.Since(start), limit)
	}
}

func TestRestGrowsWithTheCostOfALook(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	clock := time.Unix(1000, 0)
	w, err := NewWatcher(Config{Path: path, Now: func() time.Time { clock = clock.Add(20 * time.Millisecond); return clock }})
	must(t, err)
	o := &observation{w: w, reader: newReader(w.cfg, w.volume), emit: func(messages.Reading) {}}
	defer o.unwatch()
	o.look(true)
	if rest := o.notBefore.Sub(clock); rest != 19*20*time.Millisecond {
		t.Errorf("a look of 20 ms is followed by a rest of %v", rest)
	}
}

func TestChangeWithinOneTickOfTheFileSystemIsFound(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	now := time.Now()
	w, err := NewWatcher(Config{Path: path, Now: func() time.Time { return now }})
	must(t, err)
	o := &observation{w: w, reader: newReader(w.cfg, w.volume), emit: func(messages.Reading) {}}
	defer o.unwatch()
	if o.look(true); o.sure {
		t.Error("a file that changed just now is taken for settled")
	}
	now = now.Add(time.Minute)
	if o.look(true); !o.sure {
		t.Error("a file that changed a minute ago is read again and again")
	}
}

func TestStrangeFilesBesideItCauseNoLook(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	write(t, path, fleet(named(`"a"`)))
	w, err := NewWatcher(Config{Path: path, Now: time.Now})
	must(t, err)
	o := &observation{w: w, reader: newReader(w.cfg, w.volume), emit: func(messages.Reading) {}}
	defer o.unwatch()
	o.look(true)
	write(t, path+"-wal", bytes.Repeat([]byte("x"), 10))
	events, _ := o.signs()
	for range 2 {
		select {
		case e := <-events:
			o.heard(e, true)
		case <-time.After(patience):
			t.Fatal("no event")
		}
	}
	if o.due != nil {
		t.Error("a look is planned")
	}
}
