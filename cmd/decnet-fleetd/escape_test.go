package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

func TestNothingThatMovesHidesOrReordersReachesTheTerminal(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"plain text":            {"decky-01 läuft", "decky-01 läuft"},
		"colour":                {"\x1b[31mred", `\x1b[31mred`},
		"a bell and a return":   {"a\ab\rc\nd", `a\x07b\x0dc\x0ad`},
		"C1 control":            {"a\u009b1m", `a\x9b1m`},
		"right to left":         {"a\u202egnp.exe", `a\u202egnp.exe`},
		"isolates":              {"\u2066x\u2069", `\u2066x\u2069`},
		"zero width":            {"a\u200bb\ufeff", `a\u200bb\ufeff`},
		"line separator":        {"a\u2028b", `a\u2028b`},
		"odd space":             {"a\u00a0b\u3000", `a\xa0b\u3000`},
		"combining marks":       {"a\u0301\u0301", `a\u0301\u0301`},
		"tags":                  {"\U000e0041", `\ue0041`},
		"broken UTF-8":          {"a\xffb", `a\xffb`},
		"a backslash of theirs": {`a\x1b`, `a\\x1b`},
		"a long one":            {strings.Repeat("x", 300), strings.Repeat("x", maxCell) + "…"},
	}
	for name, tt := range tests {
		if got := escape(tt.in); got != tt.want {
			t.Errorf("%s: %q becomes %q, want %q", name, tt.in, got, tt.want)
		}
	}
}

func TestALongMessageKeepsItsRemedy(t *testing.T) {
	text := strings.Repeat("x", 300) + "\tand what to do"
	if got := indent(text); !strings.HasSuffix(got, "  and what to do") {
		t.Errorf("%q is cut", got)
	}
	if got := indent(strings.Repeat("x", 6000)); len(got) > maxLine+len("…") {
		t.Errorf("%d bytes of one line", len(got))
	}
	if got := oneLine("table a is missing\ntable b is missing\n"); got != "table a is missing; table b is missing" {
		t.Errorf("%q", got)
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff\\")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range escape(s) {
			if unicode.IsControl(r) || !unicode.IsPrint(r) {
				t.Fatalf("%q lets %q through", s, r)
			}
		}
	})
}

func FuzzEscapeJSONKeepsTheDocument(f *testing.F) {
	f.Add("a\x7f\u009b\u202e\U000e0041é")
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := json.Marshal(map[string]string{"k": s})
		if err != nil {
			t.Skip()
		}
		var before, after map[string]string
		safe := escapeJSON(raw)
		if err := json.Unmarshal(raw, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(safe, &after); err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("%q becomes %q (%v)", raw, safe, err)
		}
		for _, r := range string(safe) {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Fatalf("%q lets %q through", raw, r)
			}
		}
	})
}
