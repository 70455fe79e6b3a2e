package console

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

func event(kind, target string) messages.Event { return messages.Event{Type: kind, Target: target} }

func fill(f *Feed, n int) {
	for i := range n {
		f.Append(event("state_changed", fmt.Sprintf("decky-%02d", i)))
	}
}

func seqs(events []messages.Event) []int64 {
	out := []int64{}
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func TestFeedNumbersOnFromItsBase(t *testing.T) {
	f := NewFeed(4, 1000)
	if f.Last() != 1000 {
		t.Errorf("an empty feed stands at %d, want its base", f.Last())
	}
	fill(f, 2)
	if got := seqs(f.Page(Query{Since: 1000}).Items); fmt.Sprint(got) != "[1001 1002]" {
		t.Errorf("seqs %v", got)
	}
}

func TestPagesSayWhatTheyLeaveOut(t *testing.T) {
	f := NewFeed(4, 0)
	fill(f, 6) // 3 to 6 are kept
	tests := map[string]struct {
		query     Query
		want      string
		more, gap bool
	}{
		"from the oldest":                {Query{Since: 2}, "[3 4 5 6]", false, false},
		"from what is gone":              {Query{Since: 1}, "[3 4 5 6]", false, true},
		"from the middle":                {Query{Since: 4}, "[5 6]", false, false},
		"from the end":                   {Query{Since: 6}, "[]", false, false},
		"from another life":              {Query{Since: 99}, "[3 4 5 6]", false, true},
		"with a limit":                   {Query{Since: 2, Limit: 2}, "[3 4]", true, false},
		"with just the limit":            {Query{Since: 4, Limit: 2}, "[5 6]", false, false},
		"the newest":                     {Query{Since: -1, Limit: 2}, "[5 6]", false, false},
		"of a target":                    {Query{Since: 2, Target: "decky-05"}, "[6]", false, false},
		"of a pattern":                   {Query{Since: 2, Target: "*-0?"}, "[3 4 5 6]", false, false},
		"of a type that never was":       {Query{Since: 2, Type: "crash"}, "[]", false, false},
		"since a time after all of them": {Query{Since: 2, NotBefore: time.Unix(1, 0)}, "[]", false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := f.Page(tt.query)
			if fmt.Sprint(seqs(got.Items)) != tt.want || got.More != tt.more || got.Gap != tt.gap || got.Seq != 6 {
				t.Errorf("got %v more=%v gap=%v seq=%d, want %s more=%v gap=%v seq=6",
					seqs(got.Items), got.More, got.Gap, got.Seq, tt.want, tt.more, tt.gap)
			}
		})
	}
}

func TestFollowerThatFallsBehindIsTold(t *testing.T) {
	f := NewFeed(4, 0)
	w := f.Follow(Query{Since: -1})
	defer w.Stop()
	fill(f, 7)
	b, err := w.Next(t.Context())
	if err != nil || !b.Reset || b.Dropped != 3 || fmt.Sprint(seqs(b.Events)) != "[4 5 6 7]" {
		t.Errorf("got %+v, %v; want a reset after 3 lost events, then 4 to 7", b, err)
	}
}

func TestFollowerOfAnotherFeedIsReset(t *testing.T) {
	f := NewFeed(4, 0)
	fill(f, 1)
	w := f.Follow(Query{Since: 50})
	defer w.Stop()
	if b, err := w.Next(t.Context()); err != nil || !b.Reset || fmt.Sprint(seqs(b.Events)) != "[1]" {
		t.Errorf("got %+v, %v; want a reset and what there is", b, err)
	}
}

func TestFollowerWaitsForWhatItSelects(t *testing.T) {
	f := NewFeed(8, 0)
	w := f.Follow(Query{Since: -1, Type: "crash"})
	defer w.Stop()
	go func() {
		fill(f, 3)
		f.Append(event("crash", "x"))
	}()
	if b, err := w.Next(t.Context()); err != nil || b.Reset || fmt.Sprint(seqs(b.Events)) != "[4]" {
		t.Errorf("got %+v, %v; want event 4 alone", b, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Next(ctx); err == nil {
		t.Error("no error after the end of ctx")
	}
}

func TestStoppedFollowersAreForgotten(t *testing.T) {
	f := NewFeed(4, 0)
	f.Follow(Query{}).Stop()
	if len(f.followers) != 0 {
		t.Error("a stopped follower is kept")
	}
}

func TestFollowerSeesEveryEventOnceOrIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := NewFeed(rapid.IntRange(1, 8).Draw(t, "size"), rapid.Int64Range(0, 100).Draw(t, "base"))
		w := f.Follow(Query{Since: -1})
		defer w.Stop()
		at := f.Last()
		for range rapid.IntRange(1, 20).Draw(t, "rounds") {
			n := rapid.IntRange(0, 12).Draw(t, "events")
			fill(f, n)
			for b := w.take(); b.Reset || len(b.Events) > 0; b = w.take() {
				at += b.Dropped
				for _, e := range b.Events {
					if at++; e.Seq != at {
						t.Fatalf("event %d where %d was due", e.Seq, at)
					}
				}
			}
			if at != f.Last() {
				t.Fatalf("the follower stands at %d, the feed at %d", at, f.Last())
			}
		}
	})
}

func TestPatternsSelectPartsOrWholes(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"", "x", true}, {"ck", "decky", true}, {"CK", "decky", false}, {"de*", "decky", true}, {"*y", "decky", true},
		{"d?cky", "decky", true}, {"d?ky", "decky", false}, {"*", "", true}, {"?", "", false}, {"*-0*-0*", "a-01-02", true},
		{"*a*b", "xaxbxa", false}, {"**", "a/b.c", true}, {"[a]", "[a]", true}, {"a*b*c", "aXbXbc", true},
	}
	for _, tt := range tests {
		if got := matches(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q selects %q: %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}
