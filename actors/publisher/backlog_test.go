package publisher

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

func rows(from, to int64) (out []messages.OutboxRow) {
	for i := from; i <= to; i++ {
		out = append(out, row(i, "a"))
	}
	return out
}

func numbers(rows []messages.OutboxRow) (out []int64) {
	for _, r := range rows {
		out = append(out, r.ID)
	}
	return out
}

func TestRowsCommittedWhileTheOutboxIsReadAreAskedForAgain(t *testing.T) {
	var b backlog
	b.begin()
	after, limit, ok := b.question(100, 100)
	if !ok || after != 0 || limit != 100 {
		t.Fatalf("asked %d %d %v", after, limit, ok)
	}
	if got := b.appended(rows(3, 4), 100); got != nil {
		t.Errorf("took %v before the answer", numbers(got))
	}
	if got := b.answered(rows(1, 2), 100); !reflect.DeepEqual(numbers(got), []int64{1, 2}) {
		t.Errorf("took %v", numbers(got))
	}
	if after, _, ok = b.question(100, 100); !ok || after != 2 {
		t.Errorf("asked after %d, %v", after, ok)
	}
	if got := b.answered(rows(3, 4), 100); !reflect.DeepEqual(numbers(got), []int64{3, 4}) {
		t.Errorf("took %v", numbers(got))
	}
	if _, _, ok = b.question(100, 100); ok {
		t.Error("asks although nothing is missing")
	}
	if got := b.appended(rows(4, 6), 100); !reflect.DeepEqual(numbers(got), []int64{5, 6}) {
		t.Errorf("took %v", numbers(got))
	}
}

func TestOutboxIsNotAskedForAFewRowsAtATime(t *testing.T) {
	b := backlog{behind: true}
	if _, _, ok := b.question(49, 100); ok {
		t.Error("asked with room for 49 of 100")
	}
	if _, limit, ok := b.question(50, 100); !ok || limit != 50 {
		t.Error("not asked with room for 50 of 100")
	}
}

// Whatever is refused, lost or late: every row is taken once, in order, and never more than there is room for.
func TestEveryRowIsTakenOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const memory = 8
		var table []messages.OutboxRow
		var b backlog
		b.begin()
		taken, held := int64(0), 0
		take := func(got []messages.OutboxRow) {
			for _, r := range got {
				if r.ID != taken+1 {
					t.Fatalf("%d after %d", r.ID, taken)
				}
				taken = r.ID
				held++
			}
			if held > memory {
				t.Fatalf("%d in memory", held)
			}
		}
		var answer []messages.OutboxRow
		limit := 0
		ask := func() {
			if after, n, ok := b.question(memory-held, memory); ok {
				limit = n
				answer = table[after:min(int(after)+n, len(table))]
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				n := int64(len(table))
				fresh := rows(n+1, n+rapid.Int64Range(1, 6).Draw(t, "rows"))
				table = append(table, fresh...)
				if rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
					b.suspect() // the mailbox counts what it refuses
					return
				}
				take(b.appended(fresh, memory-held))
			},
			"ask": func(*rapid.T) { ask() },
			"answer": func(t *rapid.T) {
				if !b.asking {
					return
				}
				if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
					b.refused()
					return
				}
				take(b.answered(answer, limit))
			},
			"publish": func(*rapid.T) { held = 0 },
		})
		for range 4 * len(table) {
			held = 0
			if b.asking {
				take(b.answered(answer, limit))
			}
			ask()
		}
		if taken != int64(len(table)) {
			t.Fatalf("%d of %d taken", taken, len(table))
		}
	})
}
