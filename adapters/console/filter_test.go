package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

var filtered = []messages.DeckyStatus{
	{HostUUID: "local", Name: "web-01", State: "running", Services: []messages.ServiceSeen{{Service: "http", State: "running"}}, Mailbox: 0, Expected: []string{"http"}},
	{HostUUID: "local", Name: "web-02", State: "degraded", Services: []messages.ServiceSeen{{Service: "http", State: "exited"}}, Mailbox: 12, Paused: true},
	{HostUUID: "local", Name: "a b:c", State: "torn_down", Reason: "waits for the mass-deletion guard", Held: &messages.Held{What: "delete", Why: "no witness"}},
	{HostUUID: "local", Name: `q"\`, State: "", ChangedAt: messages.Moment{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}},
}

func TestFilterSelects(t *testing.T) {
	for text, want := range map[string]string{
		"":                             `web-01 web-02 a b:c q"\`,
		"web":                          "web-01 web-02",
		"web-*":                        "web-01 web-02",
		"*-01":                         "web-01",
		"eb-01":                        "web-01",
		"b-*":                          "",
		"!web":                         `a b:c q"\`,
		"web !01":                      "web-02",
		"state:degraded":               "web-02",
		"state:d":                      "web-02 a b:c",
		"state=d":                      "",
		"state=":                       `q"\`,
		"state:degraded,torn_down":     "web-02 a b:c",
		"!state:degraded,torn_down":    `web-01 q"\`,
		"mailbox>0":                    "web-02",
		"mbox>=12":                     "web-02",
		"mailbox<12 state:running":     "web-01",
		"mailbox<=12 !mailbox<12":      "web-02",
		"services:exited":              "web-02",
		"services>0":                   "web-01 web-02",
		"held:*":                       "a b:c",
		"held:witness":                 "a b:c",
		"!held:*":                      `web-01 web-02 q"\`,
		"paused:true":                  "web-02",
		`"a b:c"`:                      "a b:c",
		`name:"a b"`:                   "a b:c",
		`name="q\"\\"`:                 `q"\`,
		"local:web":                    "?",
		`"local:web"`:                  "web-01 web-02",
		"changed_at:2026-01-02":        `q"\`,
		`reason:"mass-deletion guard"`: "a b:c",
		"nosuch:x":                     "?",
		"mailbox>x":                    "?",
		"mailbox>1,2":                  "?",
		`"open`:                        "?",
		`"a"b`:                         "?",
		strings.Repeat("x ", 33):       "?",
	} {
		f, err := ParseFilter(text)
		var got []messages.DeckyStatus
		if err == nil {
			got, err = selectItems(t.Context(), f, filtered)
		}
		if err != nil {
			if want != "?" {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		var names []string
		for _, d := range got {
			names = append(names, d.Name)
		}
		if s := strings.Join(names, " "); s != want {
			t.Errorf("%q selects %q, want %q", text, s, want)
		}
	}
}

func TestQuotedNameSelectsItself(t *testing.T) {
	for _, d := range filtered {
		f, err := ParseFilter(Quoted(d.Name))
		if err != nil || !f.Match(d) {
			t.Errorf("%s: %v", Quoted(d.Name), err)
		}
	}
}

func TestAFilterThatWouldRunForLongIsGivenUp(t *testing.T) {
	all := make([]messages.DeckyStatus, 20_000)
	for i := range all {
		all[i].Name = strings.Repeat("a", 128)
	}
	f, err := ParseFilter(strings.TrimSpace(strings.Repeat("*"+strings.Repeat("a*", 14)+"b ", 30)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.terms {
		f.terms[i].not = true // so that every term is looked at
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := selectItems(ctx, f, all); !errors.Is(err, errFilterSlow) || time.Since(began) > 2*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestSortKnowsNumbersAndTexts(t *testing.T) {
	items := append([]messages.DeckyStatus(nil), filtered...)
	for by, first := range map[string]string{"mbox": "web-02", "name": "a b:c", "-name": "web-02"} {
		if !sortItems(items, by) || items[0].Name != first {
			t.Errorf("%s: first is %s", by, items[0].Name)
		}
	}
	if sortItems(items, "colour") {
		t.Error("sorted by nothing")
	}
}

// FuzzFilter: whatever is typed is refused or answered, in bounded time, and a quoted text means itself.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{"", "web-*", "!state:a,b", `name="x y" mailbox>3`, `"\`, "a:b:c", "!!x", ":::", `\"`, "a>=", "held:*"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		began := time.Now()
		p, err := ParseFilter(text)
		if err == nil {
			for _, d := range filtered {
				p.Match(d)
			}
			_, _ = selectItems(t.Context(), p, []messages.ActorStatus{{PID: text}})
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%v", took)
		}
		if len(text) > maxFilter/4 || strings.ContainsAny(text, "*?") || text == "" {
			return
		}
		q, err := ParseFilter(Quoted(text))
		if err != nil || !q.Match(messages.DeckyStatus{Name: text}) {
			t.Errorf("%s does not select %q: %v", Quoted(text), text, err)
		}
	})
}

func BenchmarkFilter10000Deckies(b *testing.B) {
	all := make([]messages.DeckyStatus, 10_000)
	for i := range all {
		all[i] = filtered[i%len(filtered)]
		all[i].Name = fmt.Sprintf("decky-%05d", i)
	}
	f, err := ParseFilter("state:degraded mailbox>10 decky-*")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if got, err := selectItems(b.Context(), f, all); err != nil || len(got) != 2500 {
			b.Fatal(len(got), err)
		}
	}
}
