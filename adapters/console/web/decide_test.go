package web

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestALaneTellsEveryStateInItsTime(t *testing.T) {
	e := func(seq int64, before time.Duration, kind, from, to string) messages.Event {
		return messages.Event{Seq: seq, At: ago(before), Type: kind, From: from, To: to}
	}
	for name, x := range map[string]struct {
		events []messages.Event
		now    string
		want   string
	}{
		"nothing known: it was as it is":        {nil, "running", "running 60m0s"},
		"before the first event it was as told": {[]messages.Event{e(2, 20*time.Minute, "state_changed", "running", "failed")}, "failed", "running 40m0s, failed 20m0s"},
		"it was not there before":               {[]messages.Event{e(1, 30*time.Minute, "inserted", "", "running")}, "running", "running 30m0s"},
		"it went and came back":                 {[]messages.Event{e(1, 50*time.Minute, "deleted", "running", "torn_down"), e(2, 10*time.Minute, "inserted", "", "running")}, "running", "running 10m0s, running 10m0s"},
		"in jail and out":                       {[]messages.Event{e(1, 2*time.Hour, "inserted", "", "failed"), e(2, 30*time.Minute, "quarantined", "", ""), e(3, 10*time.Minute, "released", "", "")}, "failed", "failed 30m0s, quarantined 20m0s, failed 10m0s"},
		"what does not tell a state is a mark":  {[]messages.Event{e(1, 10*time.Minute, "restarting", "", "")}, "running", "running 60m0s"},
		"an event without a time":               {[]messages.Event{{Seq: 3, Type: "quarantined", Target: "x"}, e(2, 20*time.Minute, "state_changed", "running", "failed")}, "failed", "running 40m0s, failed 20m0s"},
		"out of order":                          {[]messages.Event{e(2, 10*time.Minute, "state_changed", "a", "b"), e(1, 20*time.Minute, "inserted", "", "a")}, "b", "a 10m0s, b 10m0s"},
	} {
		l := laneOf("x", x.now, x.events, noon.Add(-time.Hour), noon)
		var got []string
		for _, s := range l.Stretches {
			got = append(got, s.State+" "+strings.Replace(s.To.Sub(s.From).String(), "1h0m0s", "60m0s", 1))
		}
		if strings.Join(got, ", ") != x.want {
			t.Errorf("%s: %v, not %s", name, got, x.want)
		}
	}
}

func TestStretchesNeverOverlapNorLeaveTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var events []messages.Event
		at := noon.Add(-2 * time.Hour)
		for i := range rapid.IntRange(0, 20).Draw(t, "events") {
			at = at.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "wait")) * time.Second)
			events = append(events, messages.Event{Seq: int64(i), At: messages.Moment{Time: at}, Type: rapid.SampledFrom(append(tells, "crash")).Draw(t, "type"),
				From: rapid.SampledFrom([]string{"", "running", "failed"}).Draw(t, "from"), To: rapid.SampledFrom([]string{"", "running", "failed"}).Draw(t, "to")})
		}
		l := laneOf("x", "running", events, noon.Add(-time.Hour), noon)
		end := l.From
		for _, s := range l.Stretches {
			if s.From.Before(end) || !s.To.After(s.From) || s.To.After(l.To) || s.State == "" {
				t.Fatalf("%v after %v in %v", s, end, l)
			}
			end = s.To
		}
	})
}

func TestPagingHasEveryItemOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total, size := rapid.IntRange(0, 1000).Draw(t, "total"), rapid.IntRange(1, 100).Draw(t, "size")
		next := 0
		for page := 1; page <= paged(total, 1, size).Pages; page++ {
			p := paged(total, page, size)
			if p.From != next || p.To-p.From > size {
				t.Fatalf("%+v after %d", p, next)
			}
			next = p.To
		}
		if next != total {
			t.Fatalf("%d of %d", next, total)
		}
	})
}

func TestWordsForNumbers(t *testing.T) {
	for got, want := range map[string]string{
		span(0): "0s", span(0.00019): "190µs", span(0.25): "250ms", span(59.9): "59s", span(61): "1m1s", span(3600): "1h", span(7*3600 + 120): "7h2m", span(11 * 3600.5): "11h", span(90000): "1d1h",
		grouped(0): "0", grouped(999): "999", grouped(10000): "10,000", grouped(-1234567): "-1,234,567", byteSize(512): "512 B", byteSize(48 << 20): "48.0 MiB",
		since(messages.Moment{}, noon): "–", ipKey("10.0.4.7"): "  10.   0.   4.   7", actorPath("decky/a/b"): "/actors/decky/a%2Fb",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// luminance and contrast are those of WCAG 2.1.
func luminance(hex string) float64 {
	n, _ := strconv.ParseUint(hex[1:], 16, 32)
	c := func(v uint64) float64 {
		s := float64(v&255) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*c(n>>16) + 0.7152*c(n>>8) + 0.0722*c(n)
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func TestEveryTextHasTheContrastOfWCAGAAInLightAndDark(t *testing.T) {
	css, err := os.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("there is no dark")
	}
	dark, _, _ = strings.Cut(dark, "* { box-sizing")
	pairs := [][2]string{{"text", "ground"}, {"text", "panel"}, {"text", "accent-ground"}, {"faint", "ground"}, {"faint", "panel"}, {"faint", "accent-ground"}, {"accent", "ground"}, {"accent", "panel"}, {"accent", "accent-ground"},
		{"good", "ground"}, {"good", "panel"}, {"good", "good-ground"}, {"warn", "ground"}, {"warn", "panel"}, {"warn", "warn-ground"}, {"bad", "ground"}, {"bad", "panel"}, {"bad", "bad-ground"}, {"panel", "accent"}, {"panel", "bad"},
		{"on", "running"}, {"on", "degraded"}, {"on", "failed"}, {"on", "torn"}, {"on", "jail"}, {"on", "pending"}, {"on", "other"}}
	for name, text := range map[string]string{"light": light, "dark": dark} {
		colour := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(text, -1) {
			colour[m[1]] = m[2]
		}
		for _, p := range pairs {
			if c := contrast(colour[p[0]], colour[p[1]]); c < 4.5 {
				t.Errorf("%s: %s on %s has %.2f:1", name, p[0], p[1], c)
			}
		}
	}
}

func TestTheScriptsAreSmallAndOurs(t *testing.T) {
	lines := 0
	for _, f := range []string{"live.js", "keys.js", "copy.js"} {
		raw, err := os.ReadFile("static/" + f)
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(raw), "\n")
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "http://", "https://"} {
			if strings.Contains(string(raw), bad) {
				t.Errorf("%s has %s", f, bad)
			}
		}
	}
	if lines >= 600 {
		t.Errorf("%d lines of script", lines)
	}
}

func TestEveryKeyThatIsListedIsObeyed(t *testing.T) {
	raw, err := os.ReadFile("static/keys.js")
	if err != nil {
		t.Fatal(err)
	}
	script := string(raw)
	for _, group := range keyTable {
		for _, k := range group.Keys {
			for key := range strings.FieldsSeq(strings.ReplaceAll(k.Keys, " – 9, 0", "")) {
				name := strings.TrimPrefix(key, "ctrl-")
				name = map[string]string{"enter": "Enter", "esc": "Escape", "space": " ", `\`: `\\`}[name] + map[bool]string{true: name}[!slices.Contains([]string{"enter", "esc", "space", `\`}, name)]
				if name == "1" {
					continue // digits are one rule
				}
				if !strings.Contains(script, fmt.Sprintf("%q:", strings.ReplaceAll(name, `\\`, `\`))) && !regexp.MustCompile(`[{,;\s]`+regexp.QuoteMeta(name)+`: `).MatchString(script) {
					t.Errorf("%s is listed and nothing is done for it", key)
				}
			}
		}
	}
}

func TestWhatNeedsSomebodyTellsSinceWhenAndByWhom(t *testing.T) {
	deckies := []messages.DeckyStatus{
		{Name: "a", State: "running", Phase: "quarantined", Reason: "boom", ChangedAt: ago(time.Hour), QuarantinedAt: ago(time.Minute)},
		{Name: "b", State: "running", Paused: true, Reason: "converged", ChangedAt: ago(time.Hour)},
		{Name: "c", State: "running", Paused: true, Reason: "converged", ChangedAt: ago(time.Hour)},
		{Name: "d", State: "failed", Reason: "converged", ChangedAt: ago(time.Hour)},
	}
	st := messages.Status{Paused: []messages.Pause{{Target: messages.PauseHost, By: "root", Since: ago(5 * time.Minute)}, {Target: "b", By: "alice", Reason: "ticket", Since: ago(2 * time.Minute)}}}
	want := map[string]concern{
		"a": {Since: ago(time.Minute), Why: "boom", Offers: []offer{{Label: "Release…"}}}, "b": {Since: ago(2 * time.Minute), Why: "by alice: ticket", Offers: []offer{{Label: "Resume…"}}},
		"c": {Since: ago(5 * time.Minute), Why: "by root", Offers: []offer{{Label: "Resume…"}}}, "d": {Since: ago(time.Hour), Why: "converged", Offers: []offer{{Label: "Resync…"}}},
	}
	for _, c := range attention(st, deckies, nil) {
		w, is := want[c.Name]
		if !is || !c.Since.Equal(w.Since.Time) || c.Why != w.Why || len(c.Offers) != 1 || c.Offers[0].Label != w.Offers[0].Label {
			t.Errorf("%+v, want %+v", c, w)
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("nobody is told of %v", want)
	}
}

func TestALineOfTheLogIsReadByAPerson(t *testing.T) {
	for line, want := range map[string]string{
		`{"level":"info","uid":0,"reason":"looks odd","time":"x","detail":"","message":"audit"}`: `audit  uid=0 reason="looks odd"`,
		`{"message":"m","a":{"b": 1},"c":"x=y","n":1795771285069880}`:                            `m  a={"b":1} c="x=y" n=1795771285069880`,
		`{"level":"info","detail":"cut in the mid…`:                                              `{"level":"info","detail":"cut in the mid…`,
		`no JSON`: `no JSON`, ``: ``, `[1]`: `[1]`, `{}`: ``,
		`{"m\u001b[31m":"\u001b]0;x","message":"\u202e"}`: "\u202e  m\x1b[31m=\x1b]0;x", // the page escapes it
	} {
		if got := (LogLine{Line: line}).Said(); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
