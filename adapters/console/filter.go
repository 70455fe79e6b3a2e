package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Filter selects items of a list, in every face alike. It is a row of terms, all of which must hold:
//
//	web-*              a name: with * or ? all of it must fit, else a part is enough
//	state:degraded     a field, by the same rule; state=degraded is exact
//	state:failed,down  one of several
//	mailbox>10         a number; also >= < <=
//	held:*             there is something in the field
//	!state:running     not
//	@fw-2              of a host of the cluster, by its name or its id; @fw-* by a pattern
//	"a b"  state:"a b" a value with spaces, or one that looks like a field
//
// Fields are the keys of the JSON. The zero Filter selects everything.
type Filter struct{ terms []term }

type term struct {
	not    bool
	field  string // "" for a name
	op     op
	values []string // patterns, one of which must fit
	number float64
	text   string // as it was written
}

// scope is the field of a term that selects hosts.
const scope = "@"

type op uint8

const (
	contains op = iota
	equals
	more
	atLeast
	less
	atMost
)

// Bounds of a filter. Chosen: longer than any person types.
const (
	maxFilter = 1024 // bytes
	maxTerms  = 32
)

// ParseFilter reads a filter. Its errors say what is wrong in words for whoever typed it.
func ParseFilter(text string) (Filter, error) {
	if len(text) > maxFilter {
		return Filter{}, fmt.Errorf("the filter has %d bytes, %d are the limit", len(text), maxFilter)
	}
	var f Filter
	for rest := strings.TrimLeft(text, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		if len(f.terms) == maxTerms {
			return Filter{}, fmt.Errorf("the filter has more than %d terms", maxTerms)
		}
		t, after, err := parseTerm(rest)
		if err != nil {
			return Filter{}, err
		}
		t.text = strings.TrimSpace(rest[:len(rest)-len(after)])
		f.terms, rest = append(f.terms, t), after
	}
	return f, nil
}

func parseTerm(text string) (t term, rest string, err error) {
	if t.not = strings.HasPrefix(text, "!"); t.not {
		text = text[1:]
		if text == "" || strings.ContainsAny(text[:1], "! \t,") { // it would select everything, and filters choose what is acted on
			return t, "", errors.New("a term is missing after the exclamation mark")
		}
	}
	if n := fieldLength(text); n > 0 {
		t.field = text[:n]
		t.op, text = parseOp(text[n:])
	} else if rest, is := strings.CutPrefix(text, scope); is && rest != "" {
		t.field, text = scope, rest
	}
	t.values, rest, err = parseValues(text)
	if err != nil {
		return t, "", err
	}
	if t.op >= more {
		if len(t.values) != 1 {
			return t, "", fmt.Errorf("%s: compare with one number", t.field)
		}
		if t.number, err = strconv.ParseFloat(t.values[0], 64); err != nil || math.IsNaN(t.number) {
			return t, "", fmt.Errorf("%s: %q is no number", t.field, t.values[0])
		}
	}
	return t, rest, nil
}

// fieldLength: a field is a word of small letters, digits and _ before one of the operators.
func fieldLength(text string) int {
	n := strings.IndexFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' })
	if n > 0 && strings.IndexByte(":=<>", text[n]) >= 0 {
		return n
	}
	return 0
}

func parseOp(text string) (op, string) {
	for _, x := range []struct {
		sign string
		op   op
	}{{">=", atLeast}, {"<=", atMost}, {">", more}, {"<", less}, {"=", equals}, {":", contains}} {
		if strings.HasPrefix(text, x.sign) {
			return x.op, text[len(x.sign):]
		}
	}
	return contains, text
}

// parseValues reads values up to a space, separated by commas.
func parseValues(text string) (values []string, rest string, err error) {
	for {
		var v string
		if v, text, err = parseValue(text); err != nil {
			return nil, "", err
		}
		values = append(values, v)
		if !strings.HasPrefix(text, ",") {
			break
		}
		text = text[1:]
	}
	if text != "" && text[0] != ' ' && text[0] != '\t' {
		return nil, "", fmt.Errorf("a space is missing before %q", clipped(text, 40))
	}
	return values, text, nil
}

func parseValue(text string) (value, rest string, err error) {
	if !strings.HasPrefix(text, `"`) {
		n := strings.IndexAny(text, " \t,")
		if n < 0 {
			n = len(text)
		}
		return text[:n], text[n:], nil
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '"':
			return b.String(), text[i+1:], nil
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(text[i])
		}
	}
	return "", "", errors.New("a quote is not closed")
}

// Quoted is a name as a term that means nothing but itself, or its pattern.
func Quoted(name string) string {
	if name == "" {
		return ""
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// node takes the one term that names a host out of a filter. It is "" where there is none, or where more is meant than one
// name.
func (f Filter) node() (name, rest string) {
	var others []string
	for _, t := range f.terms {
		if t.field != scope {
			others = append(others, t.text)
			continue
		}
		if name != "" || t.not || len(t.values) != 1 || strings.ContainsAny(t.values[0], "*?") {
			return "", ""
		}
		name = t.values[0]
	}
	return name, strings.Join(others, " ")
}

// check says whether all fields exist in items of a type.
func (f Filter) check(t reflect.Type) error {
	known := fieldsOf(t)
	for _, x := range f.terms {
		if x.field == scope && !known.hosted() {
			return fmt.Errorf("%s: these are of one host; to name it, let %s stand alone, or use --node", x.text, x.text)
		}
		if _, is := known.by[alias(x.field)]; x.field != "" && x.field != scope && !is {
			return fmt.Errorf("there is no field %q; the fields are %s; to search for the text, put it in quotes", x.field, strings.Join(known.names, ", "))
		}
	}
	return nil
}

// Suits says whether all fields exist in an item of a list; nil suits every filter.
func (f Filter) Suits(item any) error {
	if item == nil {
		return nil
	}
	return f.check(reflect.TypeOf(item))
}

// Match says whether an item is selected. Fields that it does not have select nothing.
func (f Filter) Match(item any) bool {
	if len(f.terms) == 0 {
		return true
	}
	v := reflect.ValueOf(item)
	return !slices.ContainsFunc(f.terms, func(t term) bool { return t.holds(v) == t.not })
}

func (t term) holds(item reflect.Value) bool {
	fields := fieldsOf(item.Type())
	if t.field == "" {
		return slices.ContainsFunc(fields.texts(item), t.fits)
	}
	if t.field == scope || t.field == "node" {
		return slices.ContainsFunc(fields.hosts(item), t.fits)
	}
	path, known := fields.by[alias(t.field)]
	if !known {
		return false
	}
	v := item.FieldByIndex(path)
	if t.op >= more {
		n, is := numberOf(v)
		return is && compares(t.op, n, t.number)
	}
	return slices.ContainsFunc(textsOf(v, 0), t.fits)
}

func (t term) fits(text string) bool {
	return slices.ContainsFunc(t.values, func(pattern string) bool {
		if t.op == equals || t.field == scope && !strings.ContainsAny(pattern, "*?") {
			return pattern == text
		}
		return matches(pattern, text)
	})
}

func compares(by op, a, b float64) bool {
	switch by {
	case more:
		return a > b
	case atLeast:
		return a >= b
	case less:
		return a < b
	case atMost:
		return a <= b
	case contains, equals:
	}
	return a == b
}

// errFilterSlow: somebody wants more compared than a request may cost.
var errFilterSlow = errors.New("the filter takes too long for so many items: make its patterns shorter or fewer")

// selectItems filters a list. It gives up when ctx ends.
func selectItems[T any](ctx context.Context, f Filter, all []T) ([]T, error) {
	if err := f.check(reflect.TypeFor[T]()); err != nil {
		return nil, err
	}
	if len(f.terms) == 0 {
		return all, nil
	}
	out := make([]T, 0, len(all))
	for i, item := range all {
		if i%16 == 0 && ctx.Err() != nil {
			return nil, errFilterSlow
		}
		if f.Match(item) {
			out = append(out, item)
		}
	}
	return out, nil
}
