package statedir

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

var now = messages.Moment{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}

func audit(t *testing.T, dir string) *Audit {
	t.Helper()
	a, _, err := OpenAudit(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

func TestAuditIsReadableForTheGroupAndGoesOnCountingAfterARestart(t *testing.T) {
	dir := t.TempDir()
	a := audit(t, dir)
	for _, verb := range []string{"pause", "resume"} {
		if _, err := a.Record(messages.AuditEntry{Time: now, Verb: verb, UID: 7, Result: "done"}); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	info, err := os.Stat(filepath.Join(dir, "audit.jsonl"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info, err)
	}
	b := audit(t, dir)
	e, err := b.Record(messages.AuditEntry{Verb: "kill"})
	if err != nil || e.Seq != 3 {
		t.Errorf("%+v %v", e, err)
	}
	if all := b.Entries(); len(all) != 3 || all[0].Verb != "kill" || all[2].UID != 7 || !all[2].Time.Equal(now.Time) {
		t.Errorf("%+v", all)
	}
}

func TestAuditIsBoundedOnDiskAndInMemory(t *testing.T) {
	dir := t.TempDir()
	a := audit(t, dir)
	a.file.limit, a.file.sync = 20_000, false
	for i := range auditMemory + 1000 {
		if _, err := a.Record(messages.AuditEntry{Verb: "pause", Target: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	var bytes int64
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
	}
	if all := a.Entries(); bytes > 40_000 || len(all) > auditMemory || all[0].Target != fmt.Sprint(auditMemory+999) {
		t.Errorf("%d bytes, %d entries, newest %+v", bytes, len(all), all[0])
	}
	a.Close()
	if all := audit(t, dir).Entries(); len(all) < 100 || all[0].Seq != auditMemory+1000 {
		t.Errorf("after a restart %d entries, newest %+v", len(all), all[0])
	}
}

func TestATornOrForeignLineIsSkippedAndTheNextIsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "crashes.jsonl")
	long := `{"reason":"` + strings.Repeat("x", 2*maxLine) + `"}`
	if err := os.WriteFile(path, []byte("{\"id\":1}\nnonsense\n"+long+"\n{\"id\":2,\"reas"), 0o640); err != nil {
		t.Fatal(err)
	}
	c, skipped, err := OpenCrashes(dir)
	if err != nil || skipped != 3 || c.Last() != 1 {
		t.Fatalf("last %d, skipped %d, %v", c.Last(), skipped, err)
	}
	if err := c.Append(messages.CrashRecord{ID: 3, Reason: "boom", Stack: "goroutine 1"}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	c, skipped, err = OpenCrashes(dir)
	if err != nil || skipped != 3 || c.Last() != 3 || c.Earlier()[1].Stack != "goroutine 1" {
		t.Errorf("%+v, skipped %d, %v", c.Earlier(), skipped, err)
	}
	c.Close()
}

func TestAJournalThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	a := audit(t, dir)
	_ = a.file.f.Close() // as if the disk had gone
	if e, err := a.Record(messages.AuditEntry{Verb: "lost on disk"}); err == nil || e.Seq != 1 {
		t.Errorf("%+v %v", e, err)
	}
	if _, err := a.Record(messages.AuditEntry{Verb: "kept"}); err != nil {
		t.Error(err)
	}
	if len(a.Entries()) != 2 {
		t.Errorf("in memory: %+v", a.Entries())
	}
	if all := audit(t, dir).Entries(); len(all) != 1 || all[0].Verb != "kept" {
		t.Errorf("on disk: %+v", all)
	}
}

func TestAJournalIsNotWrittenThroughADeviceOrDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "audit.jsonl"), 0o750); err != nil {
		t.Fatal(err)
	}
	if _, _, err := OpenAudit(dir); err == nil {
		t.Error("a directory was opened")
	}
}

func TestPausesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	p, err := OpenPauses(dir, now)
	if err != nil || len(p.List()) != 0 {
		t.Fatalf("%v %v", p, err)
	}
	first := messages.Pause{Target: "a", By: "alice", Reason: "drill", Since: now}
	if _, err := p.Change([]messages.Pause{first, {Target: "*", By: "bob", Since: now}}, nil); err != nil {
		t.Fatal(err)
	}
	again := first
	again.By = "mallory"
	all, err := p.Change([]messages.Pause{again}, []string{"*", "nobody"})
	if err != nil || len(all) != 1 || all[0] != first {
		t.Errorf("%+v %v", all, err)
	}
	q, err := OpenPauses(dir, messages.Moment{})
	if err != nil || len(q.List()) != 1 || q.List()[0].By != "alice" || !q.List()[0].Since.Equal(now.Time) {
		t.Errorf("%+v %v", q.List(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPausesThatCannotBeReadPauseTheHost(t *testing.T) {
	for name, text := range map[string]string{"torn": `{"api":"v1","pauses":[{"targ`, "another version": `{"api":"v2","pauses":[]}`,
		"no target": `{"api":"v1","pauses":[{}]}`, "two": `{"api":"v1","pauses":[]}{}`, "empty": ""} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "pauses.json"), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		p, err := OpenPauses(dir, now)
		if err == nil || len(p.List()) != 1 || p.List()[0].Target != messages.PauseHost {
			t.Errorf("%s: %+v %v", name, p.List(), err)
		}
		if all, err := p.Change(nil, []string{messages.PauseHost}); err != nil || len(all) != 0 {
			t.Errorf("%s: resume: %+v %v", name, all, err)
		}
	}
}

func TestAPauseThatCannotBeKeptIsNone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPauses(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Change([]messages.Pause{{Target: "a"}}, nil); err == nil || len(p.List()) != 0 {
		t.Errorf("%v, %+v", err, p.List())
	}
}

func TestJournalsAreWrittenFromManyGoroutines(t *testing.T) {
	dir := t.TempDir()
	a := audit(t, dir)
	a.file.sync = false
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				if _, err := a.Record(messages.AuditEntry{Verb: "x"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := audit(t, dir).Entries(); len(got) != 400 || got[0].Seq != 400 {
		t.Errorf("%d, newest %+v", len(got), got[0])
	}
}
