package pyjson

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// AppendCanonical writes a value so that equal values give equal bytes and different ones different bytes: keys in
// the order of their bytes, numbers by their value (1 = 1.0 = 1e0, as in Python), NaN and the infinities as null.
// True is not 1 here, although Python would have it so. A missing value is written as no JSON value is.
func AppendCanonical(dst []byte, v Value) []byte {
	switch v.Kind() {
	case Null:
		return append(dst, 'n')
	case True:
		return append(dst, 't')
	case False:
		return append(dst, 'f')
	case Int:
		return append(AppendInt(dst, v), ';')
	case Float:
		return appendNumber(dst, Number(v))
	case String:
		return AppendText(dst, v.Text())
	case Array:
		dst = append(dst, '[')
		for _, e := range v.Elements() {
			dst = AppendCanonical(dst, e)
		}
		return append(dst, ']')
	case Object:
		dst = append(dst, '{')
		for _, m := range sorted(v) {
			dst = AppendText(dst, m[0].Text())
			dst = AppendCanonical(dst, m[1])
		}
		return append(dst, '}')
	}
	return append(dst, '?')
}

// AppendText writes a string canonically: its length, then its bytes, so that no escape is needed.
func AppendText(dst, text []byte) []byte {
	dst = strconv.AppendInt(append(dst, '"'), int64(len(text)), 10)
	return append(append(dst, ':'), text...)
}

// appendNumber writes an integral float like the integer of the same value, exactly: 1e23 is not 10^23.
func appendNumber(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, 'n')
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		dst = strconv.AppendInt(dst, int64(f), 10)
	case f == math.Trunc(f):
		dst = strconv.AppendFloat(dst, f, 'f', 0, 64)
	default:
		dst = strconv.AppendFloat(dst, f, 'g', -1, 64)
	}
	return append(dst, ';')
}

// sorted gives the members of an object by key.
func sorted(v Value) [][2]Value {
	var few [8][2]Value // the usual object of a service's settings needs no allocation
	members := few[:0]
	for k, m := range v.Members() {
		members = append(members, [2]Value{k, m})
	}
	slices.SortFunc(members, func(a, b [2]Value) int { return bytes.Compare(a[0].Text(), b[0].Text()) })
	return members
}
