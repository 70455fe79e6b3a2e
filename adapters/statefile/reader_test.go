package statefile

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/decnet/decnet-fleetd/messages"
)

func write(t testing.TB, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to give a file to somebody else")
	}
}

func TestFileThatIsNotToBeTrustedIsInvalid(t *testing.T) {
	good := fleet(named(`"a"`))
	rows := []struct {
		name   string
		make   func(t *testing.T, path string)
		status messages.FileStatus
		what   string
	}{
		{"a regular file of ours is read", func(t *testing.T, p string) { write(t, p, good) }, messages.FileValid, ""},
		{"its group may write it", func(t *testing.T, p string) { write(t, p, good); must(t, os.Chmod(p, 0o664)) }, messages.FileValid, ""},
		{"nothing there is missing", func(*testing.T, string) {}, messages.FileMissing, ""},
		{"a link is not followed", func(t *testing.T, p string) { write(t, p+"2", good); must(t, os.Symlink(p+"2", p)) },
			messages.FileInvalid, "symbolic link"},
		{"nor is a link to itself", func(t *testing.T, p string) { must(t, os.Symlink(p, p)) }, messages.FileInvalid, "symbolic link"},
		{"nor is a link to nothing", func(t *testing.T, p string) { must(t, os.Symlink("/nowhere", p)) }, messages.FileInvalid, "symbolic link"},
		{"a directory is no file", func(t *testing.T, p string) { must(t, os.Mkdir(p, 0o700)) }, messages.FileInvalid, "no regular file"},
		{"a pipe is not waited for", func(t *testing.T, p string) { must(t, unix.Mkfifo(p, 0o600)) }, messages.FileInvalid, "no regular file"},
		{"a socket is no file", func(t *testing.T, p string) {
			l, err := net.Listen("unix", p)
			must(t, err)
			t.Cleanup(func() { _ = l.Close() })
		}, messages.FileInvalid, "no regular file"},
		{"a device is no file", func(t *testing.T, p string) {
			asRoot(t)
			if err := unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))); err != nil {
				t.Skipf("no devices here: %v", err)
			}
		}, messages.FileInvalid, "no regular file"},
		{"two names are refused", func(t *testing.T, p string) { write(t, p, good); must(t, os.Link(p, p+"2")) }, messages.FileInvalid, "2 names"},
		{"the world may not write it", func(t *testing.T, p string) { write(t, p, good); must(t, os.Chmod(p, 0o666)) },
			messages.FileInvalid, "by everybody"},
		{"a stranger's file is refused", func(t *testing.T, p string) { asRoot(t); write(t, p, good); must(t, os.Chown(p, 4242, 0)) },
			messages.FileInvalid, "user 4242"},
		{"DECNET's user may own it", func(t *testing.T, p string) { asRoot(t); write(t, p, good); must(t, os.Chown(p, 4243, 0)) },
			messages.FileValid, ""},
		{"16 MiB are read", func(t *testing.T, p string) {
			write(t, p, append(make([]byte, 0, MaxBytes), (strings.Repeat(" ", MaxBytes-len(good))+string(good))...))
		}, messages.FileValid, ""},
		{"more is not", func(t *testing.T, p string) { write(t, p, good); must(t, os.Truncate(p, MaxBytes+1)) },
			messages.FileInvalid, "more than 16777216"},
		{"100 MB of zeros are not read", func(t *testing.T, p string) { write(t, p, nil); must(t, os.Truncate(p, 100<<20)) },
			messages.FileInvalid, "more than 16777216"},
		{"a directory that is gone tells nothing", func(t *testing.T, p string) { must(t, os.Remove(filepath.Dir(p))) },
			messages.FileUnreachable, "directory"},
		{"a file in the directory's place tells nothing", func(t *testing.T, p string) {
			must(t, os.Remove(filepath.Dir(p)))
			write(t, filepath.Dir(p), nil)
		}, messages.FileUnreachable, "not a directory"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "d")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, FileName)
			row.make(t, path)
			r, err := NewReader(Config{Path: path, Now: time.Now, AllowedOwners: []uint32{4243}})
			must(t, err)
			got := r.Read()
			if got.Status != row.status || !strings.Contains(got.Fault.What, row.what) || (row.what == "") != (got.Fault == messages.Fault{}) {
				t.Errorf("%v: %v; want %v …%s…", got.Status, got.Fault, row.status, row.what)
			}
			if row.what != "" && !strings.HasPrefix(got.Fault.Where, path) {
				t.Errorf("the fault is at %q", got.Fault.Where)
			}
		})
	}
}

func TestUnreadableIsNeverMissing(t *testing.T) {
	r := newTestReader(t, "", fleet(named(`"a"`)))
	for _, err := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EIO, syscall.ESTALE, syscall.ENOMEM, syscall.EACCES, syscall.ELOOP, syscall.ENOTDIR} {
		if v := r.notOpened(&os.PathError{Op: "open", Path: "x", Err: err}); v.status == messages.FileMissing || v.status == 0 || v.fault.What == "" {
			t.Errorf("%v: %v", err, v)
		}
	}
}

func TestLinkedDirectoryIsFollowed(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
	must(t, os.Symlink("real", filepath.Join(dir, "link")))
	write(t, filepath.Join(dir, "real", FileName), fleet(named(`"a"`)))
	r, err := NewReader(Config{Path: filepath.Join(dir, "link", FileName), Now: time.Now})
	must(t, err)
	if got := r.Read(); got.Status != messages.FileValid {
		t.Error(got.Fault)
	}
}

func TestFileOnAnUnmountedVolumeIsNotMissing(t *testing.T) {
	r := newTestReader(t, "", fleet(named(`"a"`)))
	if got := r.Read(); got.Status != messages.FileValid {
		t.Fatal(got.Fault)
	}
	mounted := r.volume.dev
	must(t, os.Remove(r.cfg.Path))
	if got := r.Read(); got.Status != messages.FileMissing {
		t.Errorf("removed: %v %v", got.Status, got.Fault)
	}
	r.volume.dev = mounted + 1 // as if the directory had been on a volume that is no longer there
	if got := r.Read(); got.Status != messages.FileUnreachable || !strings.Contains(got.Fault.What, "volume") {
		t.Errorf("unmounted: %v %v", got.Status, got.Fault)
	}
	must(t, os.Symlink("/nowhere", r.cfg.Path))
	r.Read() // what is not the file does not bring it back
	must(t, os.Remove(r.cfg.Path))
	if got := r.Read(); got.Status != messages.FileUnreachable {
		t.Errorf("after a link: %v", got.Status)
	}
	write(t, r.cfg.Path, fleet(named(`"a"`)))
	if got := r.Read(); got.Status != messages.FileValid {
		t.Errorf("the file is back: %v", got.Fault)
	}
	must(t, os.Remove(r.cfg.Path))
	if got := r.Read(); got.Status != messages.FileMissing {
		t.Errorf("removed from where it is now: %v %v", got.Status, got.Fault)
	}
}

func TestRealUnmountIsNotMissing(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("may not mount here: %v", err)
	}
	write(t, filepath.Join(dir, FileName), fleet(named(`"a"`)))
	r, err := NewReader(Config{Path: filepath.Join(dir, FileName), Now: time.Now})
	must(t, err)
	if got := r.Read(); got.Status != messages.FileValid {
		t.Error(got.Fault)
	}
	must(t, unix.Unmount(dir, 0))
	if got := r.Read(); got.Status != messages.FileUnreachable {
		t.Errorf("%v %v", got.Status, got.Fault)
	}
}

// TestReadingIsOneWriting: a writer truncates and writes two contents in turn; no reading mixes them.
func TestReadingIsOneWriting(t *testing.T) {
	contents := [][]byte{many(2000, "ssh"), bytes.ReplaceAll(many(1500, "ssh"), []byte("decky-"), []byte("other-"))}
	r := newTestReader(t, "", contents[0])
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		rest := time.NewTicker(5 * time.Millisecond)
		defer rest.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-rest.C:
				_ = os.WriteFile(r.cfg.Path, contents[i%2], 0o600) // an error would show as readings that are not valid
			}
		}
	}()
	valid := 0
	for deadline := time.Now().Add(patience); valid < 50 && time.Now().Before(deadline); {
		got := r.Read()
		if got.Status != messages.FileValid {
			continue
		}
		valid++
		first, last := got.Entries[0].Name, got.Entries[len(got.Entries)-1].Name
		if pair := first + " " + last; len(got.Rejected) > 0 || pair != "decky-00000 decky-01999" && pair != "other-00000 other-01499" {
			t.Fatalf("%s in %d entries, %d rejected", pair, len(got.Entries), len(got.Rejected))
		}
	}
	close(stop)
	<-done
	if valid == 0 {
		t.Error("no reading was valid")
	}
}

func TestFileThatChangedMeanwhileIsNotSteady(t *testing.T) {
	whole := unix.Stat_t{Size: 10, Mtim: unix.Timespec{Sec: 1}, Ctim: unix.Timespec{Sec: 1}}
	longer, written, touched := whole, whole, whole
	longer.Size, written.Mtim.Nsec, touched.Ctim.Nsec = 11, 1, 1
	if !steady(&whole, &whole, 10) {
		t.Error("a file that rests is not steady")
	}
	for what, after := range map[string]*unix.Stat_t{"grown": &longer, "written": &written, "touched": &touched} {
		if steady(&whole, after, after.Size) || steady(after, &whole, 10) {
			t.Errorf("a file that was %s is steady", what)
		}
	}
	if steady(&whole, &whole, 9) {
		t.Error("a file read in part is steady")
	}
}

func TestUnchangedBytesShareTheirReading(t *testing.T) {
	r := newTestReader(t, "", fleet(named(`"a"`)))
	a := r.Read()
	write(t, r.cfg.Path, fleet(named(`"a"`)))
	b := r.Read()
	if &a.Entries[0] != &b.Entries[0] || !b.ReadAt.After(a.ReadAt) {
		t.Error("the same bytes were parsed twice, or the reading has no time of its own")
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	for _, c := range []Config{{Path: "relative", Now: time.Now}, {Now: time.Now}, {Path: "/x"}} {
		if _, err := NewReader(c); err == nil {
			t.Errorf("%v is accepted by NewReader", c.Path)
		}
		if _, err := NewWatcher(c); err == nil {
			t.Errorf("%v is accepted by NewWatcher", c.Path)
		}
	}
}
