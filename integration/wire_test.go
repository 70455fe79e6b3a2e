package integration

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// frame is one frame of DECNET's bus: a header line, the length of the body in four bytes, the body.
type frame struct {
	verb, args string
	body       []byte
}

// The limits are DECNET's own: a header with its line feed, and a body.
const (
	headerLimit = 4096
	bodyLimit   = 1 << 20
)

func (f frame) encode() []byte {
	header := strings.TrimRight(f.verb+" "+f.args, " ") + "\n"
	return append(binary.BigEndian.AppendUint32([]byte(header), uint32(len(f.body))), f.body...)
}

func readFrame(r *bufio.Reader) (frame, error) {
	header, err := r.ReadString('\n')
	if err != nil {
		return frame{}, err
	}
	if len(header) > headerLimit {
		return frame{}, fmt.Errorf("header of %d bytes", len(header))
	}
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > bodyLimit {
		return frame{}, fmt.Errorf("body of %d bytes", n)
	}
	f := frame{body: make([]byte, n)}
	f.verb, f.args, _ = strings.Cut(strings.TrimRight(header, "\r\n"), " ")
	f.args = strings.TrimSpace(f.args)
	_, err = io.ReadFull(r, f.body)
	return f, err
}

// The recorded frames hold this decoder to DECNET's, so that it may judge ours.
func TestOurOwnDecoderReadsWhatDecnetWrites(t *testing.T) {
	text, err := os.ReadFile("../adapters/bus/testdata/bus_frames.json")
	must(t, err)
	var recorded struct {
		Encode []struct{ Name, Verb, Args, Hex string }
	}
	// The recording is Python's: it writes NaN where JSON has no word.
	must(t, json.Unmarshal(bytes.ReplaceAll(text, []byte(": NaN"), []byte(": null")), &recorded))
	if len(recorded.Encode) < 20 {
		t.Fatalf("only %d recorded frames", len(recorded.Encode))
	}
	for _, want := range recorded.Encode {
		raw, err := hex.DecodeString(want.Hex)
		if err != nil || len(raw) == 0 {
			continue // an encoding that DECNET refuses
		}
		f, err := readFrame(bufio.NewReader(strings.NewReader(string(raw))))
		if err != nil || f.verb != want.Verb || f.args != strings.TrimSpace(want.Args) {
			t.Errorf("%s: read %q %q, %v; want %q %q", want.Name, f.verb, f.args, err, want.Verb, want.Args)
		}
		if err == nil && string(f.encode()) != string(raw) {
			t.Errorf("%s: written again as %q, recorded %q", want.Name, f.encode(), raw)
		}
	}
}
