package pyjson

import "iter"

// Doc is a parsed text: its values in the order of the text, in one slice that is used again for the next text.
// The zero Doc is ready. It is not safe for concurrent use.
type Doc struct {
	reader  Reader
	text    []byte
	decoded []byte // the meanings of strings that have escapes
	nodes   []node
	broken  bool // some string holds a lone surrogate
}

// node is one value, or the key before one.
type node struct {
	kind  Kind
	flags uint8
	// start and end: strings their meaning without quotes (in decoded if escaped), all others their text.
	start, end uint32
	next       uint32 // the node after this one and all that is in it
	// last is for keys: the later key of the same name whose value counts, 0 if it is its own.
	last uint32
}

const (
	escaped uint8 = 1 << iota // the string's meaning stands in decoded
	lone                      // it holds a lone surrogate
	hidden                    // a key that stood before: the first of its name shows the last value
)

// Value is one value of a Doc. It is valid until the Doc parses the next text. The zero Value is missing: its Kind
// is 0 and it has no text, members or elements.
type Value struct {
	doc *Doc
	at  uint32
}

// Kind tells the type, 0 for a missing value.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return 0
	}
	return v.doc.nodes[v.at].kind
}

// Text is the meaning of a string, and the spelling of any other value. The caller must not change or keep it.
func (v Value) Text() []byte {
	if v.doc == nil {
		return nil
	}
	n := &v.doc.nodes[v.at]
	if n.flags&escaped != 0 {
		return v.doc.decoded[n.start:n.end]
	}
	return v.doc.text[n.start:n.end]
}

// Whole is false where a string in v, or v itself, holds a lone surrogate: it cannot be written as UTF-8.
func (v Value) Whole() bool {
	if v.doc == nil || !v.doc.broken {
		return true
	}
	for i := v.at; i < v.doc.nodes[v.at].next; i++ {
		if v.doc.nodes[i].flags&lone != 0 {
			return false
		}
	}
	return true
}

// Members gives the keys and values of an object in Python's order: a key stands where it first stood, with the
// value it last had. Anything else has none.
func (v Value) Members() iter.Seq2[Value, Value] {
	return func(yield func(key, value Value) bool) {
		if v.Kind() != Object {
			return
		}
		nodes := v.doc.nodes
		for key, end := v.at+1, nodes[v.at].next; key < end; key = nodes[key+1].next {
			if nodes[key].flags&hidden != 0 {
				continue
			}
			counts := key
			if nodes[key].last != 0 {
				counts = nodes[key].last
			}
			if !yield(Value{v.doc, key}, Value{v.doc, counts + 1}) {
				return
			}
		}
	}
}

// Elements gives the elements of an array with their index. Anything else has none.
func (v Value) Elements() iter.Seq2[int, Value] {
	return func(yield func(i int, element Value) bool) {
		if v.Kind() != Array {
			return
		}
		nodes := v.doc.nodes
		i := 0
		for at, end := v.at+1, nodes[v.at].next; at < end; at = nodes[at].next {
			if !yield(i, Value{v.doc, at}) {
				return
			}
			i++
		}
	}
}
