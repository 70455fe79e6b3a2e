package fabric

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestABatchSaysNothingItsHostMayNotSay(t *testing.T) {
	good := transition(host1, 1)
	config := `{"name":"decky-01"}`
	for name, c := range map[string]struct {
		change func(*messages.Shipped)
		want   error
	}{
		"as it should be":                      {func(*messages.Shipped) {}, nil},
		"without a row":                        {func(s *messages.Shipped) { s.Row = nil }, nil},
		"with NULLs":                           {func(s *messages.Shipped) { s.Row.ConfigJSON, s.Row.IP = nil, nil }, nil},
		"of another host":                      {func(s *messages.Shipped) { s.Payload = transition(host2, 1).Payload }, errForeign},
		"of no host":                           {func(s *messages.Shipped) { s.Payload = json.RawMessage(`{}`) }, errForeign},
		"with the id of another":               {func(s *messages.Shipped) { s.EventID = strings.Repeat("a", 32) }, errFrame},
		"with an id that is none":              {func(s *messages.Shipped) { s.EventID = "x" }, errFrame},
		"named otherwise than its payload":     {func(s *messages.Shipped) { s.Name = "decky-02" }, errFrame},
		"with the row of another":              {func(s *messages.Shipped) { s.Row.Name = "decky-02" }, errFrame},
		"with services that are no JSON":       {func(s *messages.Shipped) { s.Row.ServicesJSON = "ssh" }, errFrame},
		"with a config that is no JSON":        {func(s *messages.Shipped) { c := "{"; s.Row.ConfigJSON = &c }, errFrame},
		"with a payload larger than the bus's": {func(s *messages.Shipped) { s.Payload = json.RawMessage(`"` + strings.Repeat("x", maxPayload) + `"`) }, errFrame},
		"with a state no column holds":         {func(s *messages.Shipped) { s.Row.State = strings.Repeat("x", 256) }, errFrame},
		"with a good config":                   {func(s *messages.Shipped) { s.Row.ConfigJSON = &config }, nil},
	} {
		s := good
		row := *good.Row
		s.Row = &row
		c.change(&s)
		b, err := json.Marshal(batchFrame{N: 1, Events: []messages.Shipped{s}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openBatch(host1, b); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestAListThatWouldFillMemoryIsNotRead(t *testing.T) {
	many := `{"events":[` + strings.Repeat("{},", maxItems) + `{}]}`
	if _, err := decode[batchFrame]([]byte(many), maxFrame); !errors.Is(err, errFrame) {
		t.Errorf("%d items: %v", maxItems+1, err)
	}
	if f, err := decode[batchFrame]([]byte(`{"events":[`+strings.Repeat("{},", maxItems-1)+`{}]}`), maxFrame); err != nil || len(f.Events) != maxItems {
		t.Errorf("%d items: %v", maxItems, err)
	}
	if _, err := decode[hello]([]byte(`{"version":"`+strings.Repeat("x", maxSmall)+`"}`), maxSmall); !errors.Is(err, errFrame) {
		t.Errorf("a long hello: %v", err)
	}
}

func TestChunksKeepOrderLoseNothingAndAreBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOf(rapid.IntRange(0, 2*batchBytes)).Draw(t, "sizes")
		var back []int
		for _, c := range chunks(sizes, func(n int) int { return n }) {
			sum := 0
			for _, n := range c {
				sum += n
			}
			if len(c) == 0 || len(c) > batchEvents || sum > batchBytes && len(c) > 1 {
				t.Fatalf("a chunk of %d, %d bytes", len(c), sum)
			}
			back = append(back, c...)
		}
		if len(back) != len(sizes) || len(sizes) > 0 && !reflect.DeepEqual(back, sizes) {
			t.Fatalf("%v became %v", sizes, back)
		}
	})
}

// Nothing that comes over the wire makes a decoder panic or gives more than the bounds.
func FuzzFrames(f *testing.F) {
	b, _ := json.Marshal(batchFrame{N: 1, Events: transitions(host1, 1, 2), Slice: &sliceFrame{ID: "x", Rows: []messages.ShippedRow{*transition(host1, 1).Row}}})
	part, _ := join(partFrame{ID: 1, Status: 200, Header: map[string][]string{"Etag": {"x"}}}, []byte("body"))
	for _, seed := range [][]byte{b, part, []byte(`{"n":1,"events":null}`), []byte(`{"wire":1}`), []byte("\n"), []byte(`{"n":1}` + "\n"), nil} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := openBatch(host1, b); err == nil {
			if len(v.Events) > maxItems || v.Slice != nil && (len(v.Slice.Rows) > maxItems || len(v.Events) > 0) {
				t.Fatal("beyond the bounds")
			}
			for _, e := range v.Events {
				if !validName(e.Name) || !validEventID(e.EventID) {
					t.Fatalf("believed: %+v", e)
				}
			}
		}
		if p, data, err := split[partFrame](b); err == nil && (len(data) > maxRequest || len(p.Header) > maxHead) {
			t.Fatal("beyond the bounds")
		}
		_, _, _ = split[askFrame](b)
		_, _ = decode[hello](b, maxSmall)
		_, _ = decode[messages.Beat](b, maxSmall)
		_, _ = decode[ackFrame](b, maxFrame)
		_, _ = decode[flowFrame](b, maxSmall)
	})
}
