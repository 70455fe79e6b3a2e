package bus

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/messages"
)

type goldenFrames struct {
	Encode []struct {
		Name, Verb, Args, Hex, Error string
		HeadHex                      string `json:"head_hex"`
		Len                          int
		Body                         json.RawMessage
	}
	Decode []struct {
		Name, Hex string
		Len       int
		Result    []struct {
			Verb, Args, Error string
			BodyError         string `json:"body_error"`
			BodyLen           int    `json:"body_len"`
			EOF               bool
		}
	}
	LiveServer []map[string]any `json:"live_server"`
}

func golden(t testing.TB, name string, into any) {
	t.Helper()
	// The recorded vectors contain Python's NaN.
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(bytes.ReplaceAll(b, []byte(`": NaN`), []byte(`": "NaN"`)), into); err != nil {
		t.Fatal(err)
	}
}

// goldenBody gives the bytes DECNET puts behind the header for the body of a recorded case.
func goldenBody(t *testing.T, name string, raw json.RawMessage) []byte {
	t.Helper()
	switch name {
	case "body_max", "body_max_plus1":
		return append(append([]byte(`{"p":"`), bytes.Repeat([]byte("a"), MaxBody-8+len(name)-len("body_max"))...), `"}`...)
	case "args_nonascii":
		return []byte("{}")
	}
	var body struct {
		ID, Topic, Type string
		TS              float64
		Payload         json.RawMessage
	}
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		t.Fatal(err)
	}
	if body.ID == "" {
		return []byte("{}")
	}
	// Compacted and with raw UTF-8: what DECNET's encoder makes of the same value.
	var v bytes.Buffer
	if err := json.Compact(&v, body.Payload); err != nil {
		t.Fatal(err)
	}
	payload := strings.NewReplacer(`\u00e9`, "é", `\ud83d\udc7b`, "👻", `"NaN"`, "null").Replace(v.String())
	return AppendEnvelope(nil, Event{ID: body.ID, Topic: body.Topic, Type: body.Type, TS: body.TS, Payload: []byte(payload)})
}

func TestFramesAreEncodedAsDecnetEncodesThem(t *testing.T) {
	var g goldenFrames
	golden(t, "bus_frames.json", &g)
	if len(g.Encode) != 30 {
		t.Fatalf("%d recorded frames, want 30", len(g.Encode))
	}
	for _, c := range g.Encode {
		args := c.Args
		if c.Name == "header_4097" {
			args = strings.Repeat("x", 4092)
		}
		got, err := AppendFrame([]byte("before"), Verb(c.Verb), args, goldenBody(t, c.Name, c.Body))
		if c.Error != "" {
			if !errors.Is(err, ErrProtocol) || string(got) != "before" {
				t.Errorf("%s: got %d bytes and %v, want an error and nothing appended (%s)", c.Name, len(got), err, c.Error)
			}
			continue
		}
		got = bytes.TrimPrefix(got, []byte("before"))
		if err != nil || len(got) != c.Len || !strings.HasPrefix(hex.EncodeToString(got), c.HeadHex) {
			t.Errorf("%s: got %d bytes, %v, want %d", c.Name, len(got), err, c.Len)
		}
		if c.Hex != "" && hex.EncodeToString(got) != c.Hex {
			t.Errorf("%s: got\n %q want\n %q", c.Name, got, unhex(t, c.Hex))
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFramesAreDecodedAsDecnetDecodesThem(t *testing.T) {
	var g goldenFrames
	golden(t, "bus_frames.json", &g)
	if len(g.Decode) != 23 {
		t.Fatalf("%d recorded streams, want 23", len(g.Decode))
	}
	for _, c := range g.Decode {
		raw := goldenStream(t, c.Name, c.Hex)
		if len(raw) != c.Len {
			t.Fatalf("%s: %d bytes, want %d", c.Name, len(raw), c.Len)
		}
		// Whole, and byte by byte as a slow peer sends it.
		for _, stream := range []io.Reader{bytes.NewReader(raw), iotest.OneByteReader(bytes.NewReader(raw))} {
			r := NewReader(stream)
			for _, want := range c.Result {
				f, err := r.ReadFrame()
				switch {
				case want.EOF:
					if !errors.Is(err, io.EOF) {
						t.Errorf("%s: got %v, want the end", c.Name, err)
					}
				case strings.HasPrefix(want.Error, "IncompleteReadError"):
					if !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Errorf("%s: got %v, want %v", c.Name, err, io.ErrUnexpectedEOF)
					}
				case want.Error != "":
					if !errors.Is(err, ErrProtocol) {
						t.Errorf("%s: got %v, want a protocol error (%s)", c.Name, err, want.Error)
					}
				default:
					if c.Name == "header_4096" {
						want.Args = strings.Repeat("x", 4091)
					}
					if err != nil || string(f.Verb) != want.Verb || string(f.Args) != want.Args || len(f.Body) != want.BodyLen {
						t.Errorf("%s: got %s %.20q, body of %d, %v, want %+v", c.Name, f.Verb, f.Args, len(f.Body), err, want)
					}
					if _, _, err := publication(f.Body); errors.Is(err, ErrProtocol) != (want.BodyError != "") {
						t.Errorf("%s: body: got %v, want %q", c.Name, err, want.BodyError)
					}
				}
			}
		}
	}
}

// goldenStream completes the streams that are recorded by their beginning.
func goldenStream(t *testing.T, name, recorded string) []byte {
	t.Helper()
	switch name {
	case "header_4096":
		return []byte("SUB " + strings.Repeat("x", 4091) + "\n\x00\x00\x00\x00")
	case "header_4097":
		return []byte("SUB " + strings.Repeat("x", 4092) + "\n\x00\x00\x00\x00")
	case "header_70000_nolf":
		return []byte("SUB " + strings.Repeat("x", 70000))
	case "header_70000_lf":
		return []byte("SUB " + strings.Repeat("x", 70000) + "\n\x00\x00\x00\x00")
	}
	return unhex(t, recorded)
}

func TestTopicsMatchAsDecnetMatchesThem(t *testing.T) {
	var g struct {
		Rows []struct {
			Pattern, Topic string
			Match          bool
		}
	}
	golden(t, "topic_matches.json", &g)
	if len(g.Rows) != 72 {
		t.Fatalf("%d recorded matches, want 72", len(g.Rows))
	}
	for _, c := range g.Rows {
		if got := Match(c.Pattern, c.Topic); got != c.Match {
			t.Errorf("Match(%q, %q) = %v", c.Pattern, c.Topic, got)
		}
	}
}

func TestTokensAreLegalWhateverTheNameIs(t *testing.T) {
	var g struct {
		Rows []struct {
			Token         *string
			Builder, Wire string
		}
	}
	golden(t, "topic_tokens.json", &g)
	if len(g.Rows) != 71 {
		t.Fatalf("%d recorded tokens, want 71", len(g.Rows))
	}
	for _, c := range g.Rows {
		if c.Token == nil || *c.Token == "" {
			continue // longer than any name can be; no name is empty
		}
		got := messages.Token(*c.Token)
		plain := c.Builder == "ok" && c.Wire == "ok" && !strings.ContainsAny(*c.Token, "%\x00\x7f")
		if plain != (got == *c.Token) {
			t.Errorf("%q became %q, DECNET: builder %s, wire %s", *c.Token, got, c.Builder, c.Wire)
		}
		topic := "decky." + got + ".state"
		frame, err := AppendFrame(nil, Pub, topic, nil)
		if err != nil {
			t.Fatalf("%q: %v", *c.Token, err)
		}
		f, err := NewReader(bytes.NewReader(frame)).ReadFrame()
		if err != nil || string(f.Args) != topic || !Match(messages.StatePattern, topic) {
			t.Errorf("%q: came back as %q, %v", *c.Token, f.Args, err)
		}
	}
}

func TestNothingButOneObjectIsAPublication(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth)
	for body, ok := range map[string]bool{
		``: true,
		"\t{\"payload\" : {\"a\" : [1, \"x y\"]}}\n": true,
		`{"payload":{"a":1e-7,"b":-0.5}}`:            true,
		`{"a":"\ud83d\udc7b"}`:                       true,
		deep:                                         true,
		`{"a":` + deep + `}`:                         false,
		`[]`:                                         false,
		`null`:                                       false,
		`{"a":1}x`:                                   false,
		`{"a":1,}`:                                   false,
		`{"a":01}`:                                   false,
		`{"a":+1}`:                                   false,
		`{"a":.5}`:                                   false,
		`{"a":NaN}`:                                  false,
		`{"a":"` + "\n" + `"}`:                       false,
		`{"a":"\ud83d"}`:                             false,
		`{"a":"\udc7b\ud83d"}`:                       false,
		`{"a":"\x"}`:                                 false,
		`{"a":"` + "\xff" + `"}`:                     false,
		`{"a":tru}`:                                  false,
		`{"a"`:                                       false,
		`{a:1}`:                                      false,
	} {
		if _, _, err := publication([]byte(body)); (err == nil) != ok {
			t.Errorf("%.60q: got %v", body, err)
		}
	}
}

func TestPublicationTakesWhatDecnetTakes(t *testing.T) {
	for _, c := range []struct{ body, payload, kind string }{
		{`{"payload":{"a":1},"type":"state"}`, `{"a":1}`, "state"},
		{`{"type":"x","payload":{"a":1},"payload":{"b":2}}`, `{"b":2}`, "x"},
		{`{"p\u0061yload":[1, 2]}`, `[1,2]`, ""},
		{`{"payload":null}`, `{}`, ""},
		{`{"payload":0.0}`, `{}`, ""},
		{`{"payload":-0}`, `{}`, ""},
		{`{"payload":""}`, `{}`, ""},
		{`{"payload":[ ]}`, `{}`, ""},
		{`{"payload":false,"type":5}`, `{}`, ""},
		{`{"payload":true,"type":"\u0022"}`, `true`, `"`},
		{`{"payload":7}`, `7`, ""},
		{`{"payload":"a b"}`, `"a b"`, ""},
	} {
		payload, kind, err := publication([]byte(c.body))
		if err != nil || string(payload) != c.payload || kind != c.kind {
			t.Errorf("%s: got %s %q %v, want %s %q", c.body, payload, kind, err, c.payload, c.kind)
		}
	}
}

func TestClockKeepsItsDecimalPoint(t *testing.T) {
	for f, want := range map[float64]string{1777252484: "1777252484.0", 1777252484.25: "1777252484.25", 0: "0.0", 12.345: "12.345"} {
		if got := string(appendSeconds(nil, f)); got != want {
			t.Errorf("%v became %s, want %s", f, got, want)
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	var g goldenFrames
	golden(f, "bus_frames.json", &g)
	for _, c := range g.Decode {
		if b, err := hex.DecodeString(c.Hex); err == nil {
			f.Add(b)
		}
	}
	for _, c := range g.Encode {
		if b, err := hex.DecodeString(c.Hex); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		for {
			frame, err := r.ReadFrame()
			if err != nil {
				return
			}
			// What could be read can be written, and reads back as the same, unless its arguments have a CR inside.
			out, err := AppendFrame(nil, frame.Verb, string(frame.Args), frame.Body)
			if err != nil {
				if !bytes.ContainsRune(frame.Args, '\r') {
					t.Fatalf("%s %q: %v", frame.Verb, frame.Args, err)
				}
				continue
			}
			again, err := NewReader(bytes.NewReader(out)).ReadFrame()
			if err != nil || again.Verb != frame.Verb || !bytes.Equal(again.Args, frame.Args) || !bytes.Equal(again.Body, frame.Body) {
				t.Fatalf("%q came back as %+v, %v", out, again, err)
			}
			checkEnvelope(t, frame.Body)
		}
	})
}

// checkEnvelope compares our reading of a body with the standard library's, and what we make of it.
func checkEnvelope(t *testing.T, body []byte) {
	t.Helper()
	payload, kind, err := publication(body)
	if err != nil {
		return
	}
	if len(body) > 0 && !json.Valid(body) {
		t.Fatalf("%q was accepted", body)
	}
	evt := AppendEnvelope(nil, Event{ID: "0", Topic: "t", Type: kind, TS: math.Pi, Payload: payload})
	var back struct{ Type string }
	if err := json.Unmarshal(evt, &back); err != nil || back.Type != kind {
		t.Fatalf("%q made %q, %v", body, evt, err)
	}
}

func BenchmarkReadFrame(b *testing.B) {
	one, err := AppendFrame(nil, Pub, "decky.local:decky-01.state", benchBody(300))
	if err != nil {
		b.Fatal(err)
	}
	stream := bytes.Repeat(one, 1000)
	b.ReportAllocs()
	b.SetBytes(int64(len(one)))
	src := bytes.NewReader(stream)
	r := NewReader(src)
	for b.Loop() {
		if _, err := r.ReadFrame(); err != nil {
			src.Reset(stream)
			r = NewReader(src)
		}
	}
}

func BenchmarkRestamp(b *testing.B) {
	body := benchBody(300)
	b.ReportAllocs()
	for b.Loop() {
		payload, kind, err := publication(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := AppendEvent(make([]byte, 0, 512), Event{ID: "0123456789abcdef0123456789abcdef", Topic: "decky.local:decky-01.state", Type: kind, TS: 1777252484.25, Payload: payload}); err != nil {
			b.Fatal(err)
		}
	}
}

// benchBody is an envelope of about n bytes as the publisher sends it.
func benchBody(n int) []byte {
	s := `{"payload":{"host_uuid":"local","name":"decky-01","state":"running","transition":"inserted","source":"fleet","event_id":"0123456789abcdef0123456789abcdef","cause":"`
	return []byte(s + strings.Repeat("x", max(0, n-len(s)-20)) + `"},"type":"state"}`)
}

// unmarshal reads a body as the standard library does; false where our reading may differ: case-insensitive keys,
// replaced surrogates and bytes, missing or repeated payloads.
func unmarshal(body []byte, into any) bool {
	var top map[string]json.RawMessage
	if !utf8Only(body) || json.Unmarshal(body, &top) != nil {
		return false
	}
	payload, ok := top["payload"]
	if !ok {
		return false
	}
	return json.Unmarshal(append(append([]byte(`{"payload":`), payload...), '}'), into) == nil
}

func utf8Only(b []byte) bool { return utf8.Valid(b) && !bytes.Contains(b, []byte(`\u`)) }
