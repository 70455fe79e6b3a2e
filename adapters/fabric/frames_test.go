package fabric

import (
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
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
	for name, frame := range map[string]string{
		"many":               `{"events":[` + strings.Repeat("{},", maxFrame/4) + `{}]}`,
		"nulls":              `{"events":[` + strings.Repeat("null,", maxFrame/8) + `null]}`,
		"numbers":            `{"events":[` + strings.Repeat("0,", maxFrame/4) + `0]}`,
		"many rows":          `{"slice":{"id":"x","rows":[` + strings.Repeat("{},", maxFrame/4) + `{}]}}`,
		"behind a string":    `{"origin":"a\"b\\","events":[` + strings.Repeat("{},", maxFrame/4) + `{}]}`,
		"behind a lone end":  `}]}]` + `{"events":[` + strings.Repeat("{},", maxFrame/4) + `{}]}`,
		"in a key of events": `{"events":[{"id":[` + strings.Repeat("{},", maxFrame/4) + `{}]}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := openBatch(host1, []byte(frame))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; !errors.Is(err, errFrame) || got > 4*maxFrame {
			t.Errorf("%s: %v, %d bytes were allocated", name, err, got)
		}
	}
	config := strings.Repeat("[1,2],", 10000)
	full := transitions(host1, 1, maxItems)
	for i := range full { // as many as there may be, each with all it can have
		full[i].Row = &messages.ShippedRow{Name: full[i].Name, ServicesJSON: "[]", ConfigJSON: &[]string{"{}"}[0]}
	}
	config = "[" + config + "0]"
	full[0].Row.ConfigJSON = &config
	b, err := json.Marshal(batchFrame{N: 1, Origin: "o", Events: full})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := openBatch(host1, b); err != nil || len(f.Events) != maxItems {
		t.Errorf("%d items of %d bytes: %v", maxItems, len(b), err)
	}
	one := transition(host1, maxItems+1)
	var rows []messages.ShippedRow
	for i := range full {
		rows = append(rows, *full[i].Row)
	}
	for name, f := range map[string]batchFrame{
		"transitions": {N: 7, Events: append(full, one)},
		"rows":        {N: 7, Slice: &sliceFrame{ID: "x", Rows: append(rows, *one.Row)}},
	} {
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := openBatch(host1, b); !errors.Is(err, errFrame) || !strings.Contains(err.Error(), "more than") || got.N != 7 {
			t.Errorf("one of the %s too many: batch %d, %v", name, got.N, err)
		}
	}
	if f, err := openBatch(host1, []byte(`{"n":8,"events":[`+strings.Repeat("{},", maxFrame/4)+`{}]}`)); !errors.Is(err, errFrame) || f.N != 8 {
		t.Errorf("a crowded batch is answered as batch %d, %v", f.N, err)
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
