package supervise

import (
	"testing"

	"pgregory.net/rapid"
)

func TestRingIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r ring
		var model []int
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(*rapid.T) { r.push(letter{msg: next}); model = append(model, next); next++ },
			"pop": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				if got := r.pop().msg; got != model[0] {
					t.Fatalf("popped %v, want %v", got, model[0])
				}
				model = model[1:]
			},
			"rest": func(*rapid.T) { r.rest() },
			"": func(t *rapid.T) {
				if r.count != len(model) {
					t.Fatalf("%d wait, want %d", r.count, len(model))
				}
			},
		})
	})
}

func TestRingKeepsNeitherMessagesNorMemory(t *testing.T) {
	var r ring
	for i := range 1000 {
		r.push(letter{msg: i})
	}
	for range 1000 {
		r.pop()
	}
	for _, slot := range r.slots {
		if slot.msg != nil {
			t.Fatal("a popped message is still referenced")
		}
	}
	if r.rest(); r.slots != nil {
		t.Error("an empty ring keeps", len(r.slots), "slots")
	}
}
