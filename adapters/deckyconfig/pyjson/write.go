package pyjson

import (
	"math"
	"strconv"
)

// Append writes a value as orjson does: compact, keys in their order, raw UTF-8, floats in their shortest form with
// .0 kept, NaN and the infinities as null. Integers are written as they stand, whatever their size (orjson refuses
// those beyond 64 bits). A missing value is null.
func Append(dst []byte, v Value) []byte {
	switch v.Kind() {
	case True:
		return append(dst, "true"...)
	case False:
		return append(dst, "false"...)
	case Int:
		return AppendInt(dst, v)
	case Float:
		return AppendFloat(dst, Number(v))
	case String:
		return AppendString(dst, v)
	case Array:
		dst = append(dst, '[')
		for i, e := range v.Elements() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = Append(dst, e)
		}
		return append(dst, ']')
	case Object:
		return appendObject(dst, v)
	case Null:
	}
	return append(dst, "null"...)
}

func appendObject(dst []byte, v Value) []byte {
	dst = append(dst, '{')
	first := true
	for k, m := range v.Members() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = AppendString(dst, k)
		dst = append(dst, ':')
		dst = Append(dst, m)
	}
	return append(dst, '}')
}

// AppendString writes a string value with its quotes.
func AppendString(dst []byte, v Value) []byte {
	dst = append(dst, '"')
	text := v.Text()
	if v.doc != nil && v.doc.nodes[v.at].flags&escaped == 0 {
		dst = append(dst, text...) // what needed no escape in the text needs none now
	} else {
		dst = appendEscaped(dst, text)
	}
	return append(dst, '"')
}

// appendEscaped writes the escapes orjson writes: none but for quote, backslash and control characters.
func appendEscaped(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// AppendInt writes an Int as it stands; Python knows no negative zero among integers.
func AppendInt(dst []byte, v Value) []byte {
	if text := v.Text(); string(text) != "-0" {
		return append(dst, text...)
	}
	return append(dst, '0')
}

// Number gives an Int or Float as Python's float() would: infinite beyond the range, NaN for NaN and for anything
// that is no number.
func Number(v Value) float64 {
	switch v.Kind() {
	case Int, Float:
		if string(v.Text()) == "0.0" {
			return 0 // what almost every float of a state file is
		}
		f, err := strconv.ParseFloat(string(v.Text()), 64)
		if err != nil && !math.IsInf(f, 0) {
			return math.NaN()
		}
		if v.Kind() == Int {
			f += 0 // an integer has no negative zero
		}
		return f
	case Null, False, True, String, Array, Object:
	}
	return math.NaN()
}

// AppendFloat writes a float as orjson does, that is in the layout of Ryu's pretty printer: plain between 1e-5 and
// 1e16, else with an exponent that has no plus sign and no leading zero.
func AppendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return append(dst, "null"...)
	case f == 0 && !math.Signbit(f):
		return append(dst, "0.0"...)
	case f == 0:
		return append(dst, "-0.0"...)
	case f < 0:
		dst = append(dst, '-')
		f = -f
	}
	var buf [32]byte
	ds, point := shortest(buf[:0], f)
	switch n := len(ds); {
	case point > 0 && point <= 16 && n <= point: // 1200.0
		dst = appendZeros(append(dst, ds...), point-n)
		return append(dst, '.', '0')
	case point > 0 && point <= 16: // 12.34
		dst = append(append(dst, ds[:point]...), '.')
		return append(dst, ds[point:]...)
	case point > -5 && point <= 0: // 0.0012
		return append(appendZeros(append(dst, '0', '.'), -point), ds...)
	}
	dst = append(dst, ds[0])
	if len(ds) > 1 {
		dst = append(append(dst, '.'), ds[1:]...)
	}
	return strconv.AppendInt(append(dst, 'e'), int64(point-1), 10)
}

// shortest gives the fewest digits that mean f, and where the point stands: f = 0.digits × 10^point.
func shortest(buf []byte, f float64) (ds []byte, point int) {
	buf = strconv.AppendFloat(buf, f, 'e', -1, 64) // d.ddde±dd
	e := len(buf) - 1
	for buf[e] != 'e' {
		e--
	}
	exp := 0
	for _, c := range buf[e+2:] {
		exp = exp*10 + int(c-'0')
	}
	if buf[e+1] == '-' {
		exp = -exp
	}
	ds = buf[:1]
	if e > 2 {
		ds = append(ds, buf[2:e]...)
	}
	return ds, exp + 1
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, '0')
	}
	return dst
}
