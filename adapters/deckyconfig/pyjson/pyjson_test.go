package pyjson

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestTextIsReadAndWrittenAsPythonDoes replays what CPython's json and orjson made of 598 texts.
func TestTextIsReadAndWrittenAsPythonDoes(t *testing.T) {
	raw, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Rows []struct {
			Text    string
			Error   bool
			Refused bool
			Out     string
		}
	}
	if err := json.Unmarshal(raw, &recorded); err != nil {
		t.Fatal(err)
	}
	var d Doc
	for _, row := range recorded.Rows {
		v, err := d.Parse([]byte(row.Text))
		switch {
		case row.Error && err == nil:
			t.Errorf("%q is read, Python refuses it", row.Text)
		case !row.Error && err != nil:
			t.Errorf("%q: %v, Python reads it", row.Text, err)
		case err != nil:
		case row.Refused && v.Whole() && !hasBigInt(v):
			t.Errorf("%q can be written, orjson refuses it", row.Text)
		case row.Refused:
		case string(Append(nil, v)) != row.Out:
			t.Errorf("%q is written %s, orjson writes %s", row.Text, Append(nil, v), row.Out)
		}
	}
	if len(recorded.Rows) < 500 {
		t.Errorf("only %d rows recorded", len(recorded.Rows))
	}
}

// hasBigInt: we write integers beyond 64 bits, which orjson refuses.
func hasBigInt(v Value) bool {
	return v.Kind() == Int && len(v.Text()) > 18
}

func TestErrorsSayWhereAndWhat(t *testing.T) {
	rows := []struct {
		name, text   string
		line, column int
		what         string
	}{
		{"an empty text ends too early", "", 1, 1, "ends too early"},
		{"a cut string ends too early, at the end", "{\n \"a", 2, 4, "ends too early"},
		{"a cut escape ends too early", `"\u12`, 1, 6, "ends too early"},
		{"a missing comma is seen at what stands there instead", "[1\n  2]", 2, 3, "comma"},
		{"a trailing comma wants a value", "[1,]", 1, 4, "expected a value"},
		{"a trailing comma wants a key", "{\"a\":1,}", 1, 8, "expected a key"},
		{"columns count characters, not bytes", `["é👻" x]`, 1, 7, "comma"},
		{"a control character is named", "[\"a\x00\"]", 1, 4, "0x00"},
		{"a byte order mark is named", "\xef\xbb\xbf{}", 1, 1, "byte order mark"},
		{"a byte that is not UTF-8 is found", "{\n\"\xff\"}", 2, 2, "UTF-8"},
		{"text after the value is refused", "{} {}", 1, 4, "after the end"},
		{"nesting beyond the limit is refused", strings.Repeat("[", 65) + strings.Repeat("]", 65), 1, 65, "deeper than 64"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var d Doc
			_, err := d.Parse([]byte(row.text))
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("got %v, want a SyntaxError", err)
			}
			line, column := Position([]byte(row.text), syntax.Offset)
			if line != row.line || column != row.column || !strings.Contains(syntax.What, row.what) {
				t.Errorf("got %d:%d %s, want %d:%d …%s…", line, column, syntax.What, row.line, row.column, row.what)
			}
		})
	}
}

func TestNestingUpToTheLimitIsRead(t *testing.T) {
	var d Doc
	if _, err := d.Parse([]byte(strings.Repeat("[", 64) + strings.Repeat("]", 64))); err != nil {
		t.Error(err)
	}
	if _, err := d.Parse([]byte(strings.Repeat(`{"a":`, 100_000))); err == nil {
		t.Error("100,000 levels are read")
	}
}

func TestManyRepeatedKeysKeepFirstPlaceAndLastValue(t *testing.T) {
	var b strings.Builder
	b.WriteByte('{')
	for i := range 1000 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + string(rune('a'+i%40)) + `":` + string(rune('0'+i%10)))
	}
	b.WriteByte('}')
	var d Doc
	v, err := d.Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for k, m := range v.Members() {
		if want := "k" + string(rune('a'+n)); string(k.Text()) != want {
			t.Errorf("key %d is %s, want %s", n, k.Text(), want)
		}
		last := n + 40*((999-n)/40)
		if want := string(rune('0' + last%10)); string(m.Text()) != want {
			t.Errorf("%s is %s, want %s", k.Text(), m.Text(), want)
		}
		n++
	}
	if n != 40 {
		t.Errorf("%d keys, want 40", n)
	}
}

func TestCanonicalFormComparesValues(t *testing.T) {
	rows := []struct {
		name, a, b string
		equal      bool
	}{
		{"an integer equals its float", "1", "1.0", true},
		{"an exponent changes nothing", "100", "1e2", true},
		{"negative zero is zero", "-0.0", "0", true},
		{"a large float equals its exact integer", "1e22", "10000000000000000000000", true},
		{"1e23 is not quite 10^23", "1e23", "100000000000000000000000", false},
		{"neighbours beyond 2^53 differ", "9007199254740993", "9007199254740992.0", false},
		{"fractions differ", "1.5", "1.25", false},
		{"NaN is null", "NaN", "null", true},
		{"beyond the range is null", "1e400", "null", true},
		{"true is not one", "true", "1", false},
		{"a number is not its text", `"1"`, "1", false},
		{"escapes change nothing", `"\u00e9\/"`, `"é/"`, true},
		{"keys in any order", `{"a":1,"b":[2]}`, `{"b":[2.0],"a":1}`, true},
		{"elements in their order", `[1,2]`, `[2,1]`, false},
		{"nesting shows", `[[1],2]`, `[[1,2]]`, false},
		{"a list is not its only element", `[1]`, `1`, false},
		{"an empty object is not an empty list", `{}`, `[]`, false},
		{"text cannot imitate structure", `["a","b"]`, `["a\"1:b"]`, false},
		{"the last of repeated keys counts", `{"a":1,"a":2}`, `{"a":2}`, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := canonical(t, row.a) == canonical(t, row.b); got != row.equal {
				t.Errorf("%s and %s: equal is %v", row.a, row.b, got)
			}
		})
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var d Doc
	v, err := d.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(AppendCanonical(nil, v))
}

func TestFloatsReadBackAsThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if math.IsNaN(f) || math.IsInf(f, 0) {
			t.Skip()
		}
		var d Doc
		v, err := d.Parse(AppendFloat(nil, f))
		if err != nil || v.Kind() != Float || Number(v) != f {
			t.Fatalf("%v is written %s: %v", f, AppendFloat(nil, f), err)
		}
	})
}

func TestZeroValueIsMissing(t *testing.T) {
	var v Value
	for range v.Members() {
		t.Error("it has members")
	}
	for range v.Elements() {
		t.Error("it has elements")
	}
	if v.Kind() != 0 || v.Text() != nil || !v.Whole() || string(Append(nil, v)) != "null" || !math.IsNaN(Number(v)) {
		t.Error("the zero Value is something")
	}
}

// FuzzDoc: whatever is read can be written, and what is written means the same and is written the same again. The
// reader that only passes over a text accepts exactly what the parser does.
func FuzzDoc(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e-7,null],"\u0061":"\ud83d\udc7b"}`, `[NaN,-Infinity,-0]`, `"\ud800"`, `{"a":{"b":`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d, e Doc
		v, err := d.Parse(text)
		if skipErr := skipAll(text); (skipErr == nil) != (err == nil) {
			t.Fatalf("parser: %v, reader: %v", err, skipErr)
		}
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(text) {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		if !v.Whole() {
			return
		}
		out := Append(nil, v)
		w, err := e.Parse(out)
		if err != nil {
			t.Fatalf("%q is written %q: %v", text, out, err)
		}
		if again := Append(nil, w); string(again) != string(out) {
			t.Fatalf("%q is written %q, then %q", text, out, again)
		}
		if a, b := AppendCanonical(nil, v), AppendCanonical(nil, w); string(a) != string(b) {
			t.Fatalf("%q means %q, written it means %q", text, a, b)
		}
	})
}

func skipAll(text []byte) error {
	r, err := NewReader(text)
	if err != nil {
		return err
	}
	if _, err := r.Skip(); err != nil {
		return err
	}
	return r.End()
}
