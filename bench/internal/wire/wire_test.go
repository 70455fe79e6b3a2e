package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// The recorded frames are DECNET's own.
func TestFramesAreThoseDecnetWrites(t *testing.T) {
	text, err := os.ReadFile("testdata/bus_frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Encode []struct{ Name, Verb, Args, Hex string }
	}
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, want := range recorded.Encode {
		raw, err := hex.DecodeString(want.Hex)
		if err != nil || len(raw) == 0 {
			continue // an encoding that DECNET refuses
		}
		checked++
		f, err := NewReader(bytes.NewReader(raw)).Read()
		if err != nil || f.Verb != want.Verb || f.Args != strings.TrimSpace(want.Args) {
			t.Errorf("%s: read %q %q, %v; want %q %q", want.Name, f.Verb, f.Args, err, want.Verb, want.Args)
		}
		if got := f.Append(nil); err == nil && !bytes.Equal(got, raw) {
			t.Errorf("%s: written as %q, recorded %q", want.Name, got, raw)
		}
	}
	if checked < 15 {
		t.Fatalf("only %d recorded frames", checked)
	}
}

func TestReaderTellsAnEndFromACut(t *testing.T) {
	whole := Frame{Verb: "EVT", Args: "a.b", Body: []byte("{}")}.Append(nil)
	for cut := range whole {
		_, err := NewReader(bytes.NewReader(whole[:cut])).Read()
		if want := map[bool]error{true: io.EOF, false: io.ErrUnexpectedEOF}[cut == 0]; !errors.Is(err, want) {
			t.Errorf("cut at %d: %v, want %v", cut, err, want)
		}
	}
}

func TestReaderRefusesWhatIsTooLarge(t *testing.T) {
	for what, raw := range map[string]string{
		"a body above the limit": "EVT a\n\x00\x10\x00\x01",
		"a header above it":      "EVT " + strings.Repeat("a", headerLimit) + "\n\x00\x00\x00\x00",
		"a header without end":   strings.Repeat("a", 300<<10),
	} {
		if _, err := NewReader(strings.NewReader(raw)).Read(); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("EVT decky.local:a.state\n\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, s := NewReader(bytes.NewReader(raw)), NewReader(bytes.NewReader(raw))
		for {
			frame, err := r.Read()
			verb, args, skipErr := s.Skip()
			if (err == nil) != (skipErr == nil) || err == nil && (verb != frame.Verb || args != frame.Args) {
				t.Fatalf("read %q %q %v, skipped %q %q %v", frame.Verb, frame.Args, err, verb, args, skipErr)
			}
			if err != nil {
				return
			}
		}
	})
}
