package pyjson

import "bytes"

// keepNodes is how many nodes a Doc keeps for its next text: 2.5 MiB. Chosen: a usual entry has 40, so only a text
// that is out of all proportion gives its memory back.
const keepNodes = 1 << 17

// fewMembers is up to how many members repeated keys are found by comparing each with each, which needs no memory.
// Measured: a map is faster from about 30 on.
const fewMembers = 32

// Parse reads a text that is one JSON value. What it gave before is no longer valid. The error is a *SyntaxError.
// The text must not change as long as the value is used. Texts of 4 GiB or more are not supported.
func (d *Doc) Parse(text []byte) (Value, error) {
	d.reset(text)
	if err := checkText(text); err != nil {
		return Value{}, err
	}
	r := &d.reader
	if err := d.value(r); err != nil {
		return Value{}, err
	}
	if err := r.End(); err != nil {
		return Value{}, err
	}
	return Value{d, 0}, nil
}

// Release lets go of the text. What Parse gave is no longer valid.
func (d *Doc) Release() { d.reset(nil) }

func (d *Doc) reset(text []byte) {
	if cap(d.nodes) > keepNodes {
		d.nodes, d.decoded = nil, nil
	}
	d.text, d.nodes, d.decoded, d.broken = text, d.nodes[:0], d.decoded[:0], false
	d.reader = Reader{text: text}
}

// value reads one value and appends its nodes.
func (d *Doc) value(r *Reader) error {
	switch r.Peek() {
	case Object:
		return d.object(r)
	case Array:
		return d.array(r)
	case String:
		t, err := r.str()
		if err != nil {
			return err
		}
		d.addString(t)
		return nil
	case Null, False, True, Int, Float:
		start := r.pos
		kind, err := r.scalar()
		if err != nil {
			return err
		}
		d.add(node{kind: kind, start: uint32(start), end: uint32(r.pos)})
		return nil
	}
	return r.fail("expected a value")
}

// add appends a node that holds nothing else.
func (d *Doc) add(n node) {
	n.next = uint32(len(d.nodes)) + 1
	d.nodes = append(d.nodes, n)
}

// addString appends a string.
func (d *Doc) addString(t token) {
	n := node{kind: String, start: uint32(t.start), end: uint32(t.end)}
	if t.escaped {
		from := len(d.decoded)
		whole := false
		d.decoded, whole = unescape(d.decoded, d.text[t.start:t.end])
		n.flags, n.start, n.end = escaped, uint32(from), uint32(len(d.decoded))
		if !whole {
			n.flags |= lone
			d.broken = true
		}
	}
	d.add(n)
}

func (d *Doc) array(r *Reader) error {
	at, start := len(d.nodes), r.pos
	d.add(node{kind: Array})
	if err := r.Array(func(int) error { return d.value(r) }); err != nil {
		return err
	}
	d.finish(at, start, r.pos)
	return nil
}

func (d *Doc) object(r *Reader) error {
	at, start, members := len(d.nodes), r.pos, 0
	d.add(node{kind: Object})
	err := r.members(func(k token) error {
		members++
		d.addString(k)
		return d.value(r)
	})
	if err != nil {
		return err
	}
	d.finish(at, start, r.pos)
	d.foldKeys(uint32(at), members)
	return nil
}

// finish closes an array or object now that its extent is known.
func (d *Doc) finish(at, start, end int) {
	n := &d.nodes[at]
	n.start, n.end, n.next = uint32(start), uint32(end), uint32(len(d.nodes))
}

// foldKeys makes repeated keys of an object one.
func (d *Doc) foldKeys(at uint32, members int) {
	if members < 2 {
		return
	}
	if members > fewMembers {
		d.foldMany(at, members)
		return
	}
	var keys [fewMembers]uint32
	n := 0
	for key, end := at+1, d.nodes[at].next; key < end; key = d.nodes[key+1].next {
		text := Value{d, key}.Text()
		seen := false
		for _, k := range keys[:n] {
			if seen = bytes.Equal(Value{d, k}.Text(), text); seen {
				d.fold(k, key)
				break
			}
		}
		if !seen {
			keys[n] = key
			n++
		}
	}
}

func (d *Doc) foldMany(at uint32, members int) {
	first := make(map[string]uint32, members)
	for key, end := at+1, d.nodes[at].next; key < end; key = d.nodes[key+1].next {
		text := string(Value{d, key}.Text())
		if k, seen := first[text]; seen {
			d.fold(k, key)
		} else {
			first[text] = key
		}
	}
}

func (d *Doc) fold(first, again uint32) {
	d.nodes[first].last = again
	d.nodes[again].flags |= hidden
}
