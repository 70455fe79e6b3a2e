package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk makes the state directory a file system of its own, which is gone with the test.
func (s *stage) smallDisk(size string) string {
	s.t.Helper()
	if os.Geteuid() != 0 {
		lack(s.t, "mounting takes root")
	}
	disk := s.path("state")
	must(s.t, os.MkdirAll(disk, 0o755))
	must(s.t, syscall.Mount("tmpfs", disk, "tmpfs", 0, "size="+size+",mode=0755"))
	s.t.Cleanup(func() { must(s.t, syscall.Unmount(disk, syscall.MNT_DETACH)) })
	return disk
}

// move takes the database, which nobody has open but we, to another directory.
func (d *database) move(t *testing.T, dir string) *database {
	t.Helper()
	must(t, d.sql.Close())
	text, err := os.ReadFile(d.path)
	must(t, err)
	to := filepath.Join(dir, filepath.Base(d.path))
	must(t, os.WriteFile(to, text, 0o600))
	return openDatabase(t, to)
}

// fill writes until there is no room, and gives the file that takes it.
func fill(t *testing.T, disk string) string {
	t.Helper()
	path := filepath.Join(disk, "filler")
	f, err := os.Create(path)
	must(t, err)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if must(t, f.Close()); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return path
}

// TestAFullDiskPublishesNothingThatIsNotStoredAndEndsByItself: database and state directory lie on a disk that runs full. The
// daemon says so, tells nobody of what it cannot store, outlives its own death, and goes on when there is room again.
func TestAFullDiskPublishesNothingThatIsNotStoredAndEndsByItself(t *testing.T) {
	t.Parallel()
	v := newVictim(t, &onSQLite, 32)
	disk := v.smallDisk("8m")
	v.db, v.fixed = v.db.move(t, disk), true
	v.again()
	v.judged(soon, "before")

	filler := fill(t, disk)
	eventually(t, soon, func() error { // what room the files have is used up first
		v.disturb()
		out, _ := v.command("status", "-o", "json")
		return unless(strings.Contains(out, "is the disk full"), "%s", out)
	})
	stored := len(v.evidence().Ledger)
	for range 20 {
		v.disturb()
		v.gap(100 * time.Millisecond)
	}
	if n := len(v.evidence().Ledger); n != stored {
		t.Errorf("%d transitions were stored on a full disk", n-stored)
	}
	if said := strings.Count(v.log(), "database cannot be written"); said == 0 || said > 20 {
		t.Errorf("it was said %d times", said)
	}
	v.kill9() // and its successor starts on a full disk
	v.again()
	eventually(t, soon, func() error {
		out, _ := v.command("status", "-o", "json")
		return unless(strings.Contains(out, "is the disk full"), "%s", out)
	})
	v.lives(3 * time.Second)
	must(t, os.Remove(filler))
	v.judged(2*soon, "with room again")
	eventually(t, soon, func() error { return unless(v.waiting() == 0, "%d transitions wait for ever", v.waiting()) })
}

// log is everything the daemons of this stage wrote.
func (s *stage) log() string {
	s.t.Helper()
	text, err := os.ReadFile(s.path("daemon.log"))
	must(s.t, err)
	return string(text)
}
