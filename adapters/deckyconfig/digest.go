package deckyconfig

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
)

// digestBytes is how much of the SHA-256 a digest keeps: 128 bits, so that nobody who can write one of the two sides
// can make drift invisible.
const digestBytes = 16

var parsers = sync.Pool{New: func() any { return new(Parser) }}

// Digest identifies the meaning of a column decky_config. Two configurations with the same digest do not drift: a
// missing key counts as its default, 1 as 1.0, NaN as null, services as a set, keys in any order, and last_mutated
// and last_login_attempt do not count at all. An unknown key does count: DECNET refuses a row with one, so it is to
// be written again. The error says why the text is no configuration: it is longer than MaxEntry, not JSON, or no
// object. A digest is 32 hex digits, means the same in every process, and may be compared with any other. Any
// goroutine may call it.
func Digest(configJSON string) (string, error) {
	p, _ := parsers.Get().(*Parser)
	defer parsers.Put(p)
	return p.Digest(configJSON)
}

// Digest is the function of that name; a Parser that is at hand saves the search for one.
func (p *Parser) Digest(configJSON string) (string, error) {
	if len(configJSON) > MaxEntry {
		return "", fmt.Errorf("decky_config has %d bytes, more than %d", len(configJSON), MaxEntry)
	}
	p.raw = keep(p.raw)
	p.raw = append(p.raw[:0], configJSON...)
	defer p.doc.Release()
	entry, err := p.doc.Parse(p.raw)
	if err != nil {
		return "", fmt.Errorf("decky_config is not JSON: %w", err)
	}
	if entry.Kind() != pyjson.Object {
		return "", fmt.Errorf("decky_config is %s, must be an object", entry.Kind())
	}
	var unknown [][2]pyjson.Value
	f := fields(entry, func(k, v pyjson.Value) { unknown = append(unknown, [2]pyjson.Value{k, v}) })
	return p.digest(&f, unknown), nil
}

// digest works on values of any type: a row may hold anything, and then it differs.
func (p *Parser) digest(f *[fieldCount]pyjson.Value, unknown [][2]pyjson.Value) string {
	dst := p.canon[:0]
	for id, v := range f {
		switch {
		case id == int(lastMutated) || id == int(lastLoginAttempt):
		case v.Kind() == 0:
			dst = append(dst, canonicalDefaults()[id]...)
		case id == int(services):
			dst = appendSet(dst, v)
		default:
			dst = pyjson.AppendCanonical(dst, v)
		}
	}
	slices.SortFunc(unknown, func(a, b [2]pyjson.Value) int { return bytes.Compare(a[0].Text(), b[0].Text()) })
	for _, u := range unknown {
		dst = pyjson.AppendText(dst, u[0].Text())
		dst = pyjson.AppendCanonical(dst, u[1])
	}
	p.canon = keep(dst)
	sum := sha256.Sum256(dst)
	return hex.EncodeToString(sum[:digestBytes])
}

// appendSet writes a list of strings as the set it stands for, and anything else as it is.
func appendSet(dst []byte, v pyjson.Value) []byte {
	var few [8][]byte // the usual number of services needs no allocation
	set := few[:0]
	for _, s := range v.Elements() {
		if s.Kind() != pyjson.String {
			return pyjson.AppendCanonical(dst, v)
		}
		set = append(set, s.Text())
	}
	if v.Kind() != pyjson.Array {
		return pyjson.AppendCanonical(dst, v)
	}
	slices.SortFunc(set, bytes.Compare)
	dst = append(dst, '[')
	for _, s := range slices.CompactFunc(set, bytes.Equal) {
		dst = pyjson.AppendText(dst, s)
	}
	return append(dst, ']')
}

// canonicalDefaults gives what each missing field is digested as; required ones have no JSON value.
var canonicalDefaults = sync.OnceValue(func() [][]byte {
	c := make([][]byte, fieldCount)
	for id, m := range model {
		var d pyjson.Doc
		v, err := d.Parse([]byte(m.absent))
		if err != nil {
			v = pyjson.Value{} // no default
		}
		c[id] = pyjson.AppendCanonical(nil, v)
	}
	return c
})
