package database

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestOpenOperationsHold(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		vanished := func(w *world) messages.RowChange {
			c := w.insert("new", messages.Running)
			c.Vanished = true
			return c
		}
		content := func(w *world) messages.RowChange {
			c := w.update("d", "running", messages.Running)
			c.SetState, c.SetContent, c.ServicesJSON = false, true, "[]"
			return c
		}
		update := func(w *world) messages.RowChange { return w.update("d", "running", messages.Failed) }
		remove := func(w *world) messages.RowChange { return w.remove("d", "running") }
		insert := func(w *world) messages.RowChange { return w.insert("new", messages.Running) }
		tests := map[string]struct {
			operation, decky, status string
			host                     any
			age                      time.Duration
			change                   func(*world) messages.RowChange
			want                     messages.Outcome
		}{
			"a deploy holds a state change of any decky": {"deploy", "other", "pending", nil, 0, update, messages.HeldBack},
			"a deploy holds a delete":                    {"deploy", "other", "running", "local", 0, remove, messages.HeldBack},
			"a deploy holds an insert after a vanish":    {"deploy", "other", "running", "", 0, vanished, messages.HeldBack},
			"a deploy holds no first insert":             {"deploy", "other", "running", nil, 0, insert, messages.Committed},
			"a deploy holds no correction of content":    {"deploy", "d", "running", nil, 0, content, messages.Committed},
			"a mutate holds its decky":                   {"mutate", "d", "running", nil, 0, update, messages.HeldBack},
			"a mutate holds the delete of its decky":     {"mutate", "d", "running", nil, 0, remove, messages.HeldBack},
			"a mutate holds no other decky":              {"mutate", "other", "running", nil, 0, update, messages.Committed},
			"another operation holds nothing":            {"explode", "d", "running", nil, 0, update, messages.Committed},
			"a finished deploy holds nothing":            {"deploy", "d", "succeeded", nil, 0, update, messages.Committed},
			"another host's deploy holds nothing":        {"deploy", "d", "running", "5f0c", 0, update, messages.Committed},
			"a deploy of 9 minutes holds":                {"deploy", "d", "running", nil, 9 * time.Minute, update, messages.HeldBack},
			"a deploy of 10 minutes is stuck":            {"deploy", "d", "running", nil, 10 * time.Minute, update, messages.Committed},
			"a deploy from far ahead holds nothing":      {"deploy", "d", "running", nil, -time.Hour, update, messages.Committed},
			"a deploy from a clock a little ahead holds": {"deploy", "d", "running", nil, -time.Minute, update, messages.HeldBack},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, s)
				w.foreign("local", "d", "running")
				w.operation(tt.decky, tt.operation, tt.status, tt.host, w.now.Add(-tt.age))
				replies, out := w.apply(tt.change(w))
				r := replies[0]
				if r.Outcome != tt.want {
					t.Fatalf("%s, want %s", r.Outcome, tt.want)
				}
				if r.Outcome == messages.HeldBack && (len(r.Holds) != 1 || r.Holds[0].ID != "op" || len(out) != 0 || r.Rev != 0) {
					t.Errorf("%+v", r)
				}
			})
		}
	})
}

func TestUnreadableTimesHoldNothing(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.foreign("local", "d", "running")
	mustExec(t, w.other, `INSERT INTO decky_lifecycle (id, decky_name, operation, status, started_at, updated_at)
		VALUES ('op', 'd', 'deploy', 'running', 'yesterday', x'ff00')`)
	if r := w.one(w.update("d", "running", messages.Failed)); r.Outcome != messages.Committed {
		t.Errorf("%+v", r)
	}
}

func TestNoLifecycleTableMeansNoHolds(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("local", "d", "running")
		if r := w.one(w.update("d", "running", messages.Failed)); r.Outcome != messages.Committed {
			t.Fatal(r)
		}
		mustExec(t, w.other, "DROP TABLE decky_lifecycle") // known to be there until now
		if r := w.one(w.update("d", "failed", messages.Running)); r.Outcome != messages.Committed {
			t.Errorf("%+v", r)
		}
		if _, _, err := w.db.readAll(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// changes draws orders with every combination of fields that the judgement looks at.
func changes() *rapid.Generator[messages.RowChange] {
	return rapid.Custom(func(t *rapid.T) messages.RowChange {
		return messages.RowChange{Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name"),
			Kind:     rapid.SampledFrom([]messages.ChangeKind{messages.InsertRow, messages.UpdateRow, messages.DeleteRow}).Draw(t, "kind"),
			Prev:     rapid.SampledFrom([]string{"", "running", "failed"}).Draw(t, "prev"),
			SetState: rapid.Bool().Draw(t, "state"), SetContent: rapid.Bool().Draw(t, "content"), Vanished: rapid.Bool().Draw(t, "vanished")}
	})
}

func TestJudgeNeverWritesOverWhatWasNotExpected(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := changes().Draw(t, "change")
		s := situation{done: rapid.Bool().Draw(t, "done"), there: rapid.Bool().Draw(t, "there"), held: rapid.Bool().Draw(t, "held"),
			twin: rapid.SampledFrom([]string{"", "5f0c"}).Draw(t, "twin")}
		if s.there {
			s.state = rapid.SampledFrom([]string{"", "running", "failed"}).Draw(t, "has")
		}
		got := judge(c, s)
		if got != judge(c, s) {
			t.Fatal("judge is not a function")
		}
		writes := got == messages.Committed && !s.done
		switch {
		case writes && s.held:
			t.Fatal("wrote what an operation forbids")
		case writes && c.Kind == messages.InsertRow && (s.there || s.twin != ""):
			t.Fatal("inserted over a row or beside a twin")
		case writes && c.Kind != messages.InsertRow && (!s.there || s.state != c.Prev):
			t.Fatal("changed a row that is not as expected")
		case s.done && got != messages.Committed:
			t.Fatal("denied what is durable")
		}
	})
}

func TestOnlyWhatIsHoldableIsHeld(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := changes().Draw(t, "change")
		h := messages.Hold{Decky: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "decky"),
			Operation: rapid.SampledFrom([]string{"deploy", "mutate"}).Draw(t, "operation"),
			Until:     start.Add(time.Duration(rapid.Int64Range(-2, 2).Draw(t, "until")))}
		held := len(holding(c, []messages.Hold{h}, start)) > 0
		if held && (!holdable(c) || !h.Until.After(start) || h.Operation == "mutate" && h.Decky != c.Name) {
			t.Fatal("held without a reason")
		}
		if !held && holdable(c) && h.Until.After(start) && (h.Operation == "deploy" || h.Decky == c.Name) {
			t.Fatal("not held though it must be")
		}
	})
}
