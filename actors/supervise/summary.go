package supervise

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of a summary. Chosen: the head of each list and text tells which message it was; a message may hold the
// containers of a whole host, and nobody may wait until they are all written out.
const (
	summaryItems = 4  // elements of a list
	summaryText  = 96 // bytes of a string
	summaryDepth = 5  // structs within structs
)

// secret finds what must not leave the process in a crash record or a tap. Chosen after the keys of DECNET's
// configuration; a word too many hides a harmless value, which is no harm.
var secret = regexp.MustCompile(`(?i)(passw(?:or)?d|passphrase|secret|token|api_?key|credential)s?("?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;}\]]+)`)

// number is what a Token of ours looks like, that of a lease or a pass: no secret is so plain.
var number = regexp.MustCompile(`(?i)^token[:=][0-9]+$`)

// redact masks the values of secrets.
func redact(text string) string {
	return secret.ReplaceAllStringFunc(text, func(found string) string {
		if number.MatchString(found) {
			return found
		}
		return secret.ReplaceAllString(found, "${1}${2}***")
	})
}

// describe writes a message for a crash record or a tap: its type and the head of its contents, secrets masked. It takes
// no longer for a large message than for a small one.
func describe(msg any) string {
	text, _ := summarize(msg, maxMessage)
	return text
}

// summarize also tells about how many bytes the message holds, counted as far as it was walked.
func summarize(msg any, limit int) (text string, size int) {
	if msg == nil {
		return "", 0
	}
	w := writer{limit: limit}
	if failed := guard(func() {
		v := reflect.ValueOf(msg)
		w.text(v.Type().String() + " ")
		w.value(v, 0)
	}); failed != nil { // somebody else's String method, or a map that changes meanwhile
		w.text(" (cannot be shown: " + failed.reason + ")")
	}
	return clip(redact(w.b.String()), limit), w.size
}

// writer walks a value within bounds.
type writer struct {
	b     strings.Builder
	limit int
	size  int
}

func (w *writer) full() bool { return w.b.Len() > w.limit }

func (w *writer) text(s string) {
	if !w.full() {
		w.b.WriteString(s)
	}
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	errorType = reflect.TypeFor[error]()
)

func (w *writer) value(v reflect.Value, depth int) {
	if w.full() || !v.IsValid() {
		return
	}
	if v.Type() == timeType && v.CanInterface() {
		w.size += int(timeType.Size())
		w.moment(v.Interface().(time.Time))
		return
	}
	switch v.Kind() { //nolint:exhaustive // what is not named is handled below
	case reflect.String:
		w.string(v.String())
	case reflect.Struct:
		w.structure(v, depth)
	case reflect.Slice, reflect.Array:
		w.list(v, depth)
	case reflect.Map:
		w.size += v.Len() * int(v.Type().Key().Size()+v.Type().Elem().Size())
		w.text("map[" + strconv.Itoa(v.Len()) + "]")
	case reflect.Interface:
		w.inside(v, depth)
	case reflect.Pointer:
		w.pointer(v, depth)
	default:
		w.scalar(v)
	}
}

func (w *writer) moment(t time.Time) {
	if t.IsZero() {
		w.text("0")
		return
	}
	w.text(t.UTC().Format("2006-01-02T15:04:05.000000Z"))
}

func (w *writer) string(s string) {
	w.size += len(s)
	if len(s) > summaryText {
		head := s[:summaryText]
		for !utf8.ValidString(head) && len(head) > summaryText-utf8.UTFMax {
			head = head[:len(head)-1]
		}
		w.text(strconv.Quote(redact(head)) + "…+" + strconv.Itoa(len(s)-len(head)))
		return
	}
	w.text(strconv.Quote(redact(s)))
}

func (w *writer) structure(v reflect.Value, depth int) {
	if depth == summaryDepth {
		w.text("{…}")
		return
	}
	w.text("{")
	t, first := v.Type(), true
	for i := range v.NumField() {
		if v.Field(i).IsZero() { // what is not said need not be shown
			continue
		}
		if !first {
			w.text(" ")
		}
		first = false
		w.text(t.Field(i).Name + ":")
		w.value(v.Field(i), depth+1)
	}
	w.text("}")
}

func (w *writer) list(v reflect.Value, depth int) {
	n := v.Len()
	w.size += n * int(v.Type().Elem().Size())
	if v.Type().Elem().Kind() == reflect.Uint8 {
		w.text(strconv.Itoa(n) + " bytes")
		return
	}
	w.text("[")
	for i := range min(n, summaryItems) {
		if i > 0 {
			w.text(" ")
		}
		w.value(v.Index(i), depth+1)
	}
	if n > summaryItems {
		w.text(" …+" + strconv.Itoa(n-summaryItems))
	}
	w.text("]")
}

func (w *writer) inside(v reflect.Value, depth int) {
	if v.Type() == errorType && v.CanInterface() && !v.IsNil() {
		w.string(v.Interface().(error).Error())
		return
	}
	w.value(v.Elem(), depth+1)
}

// pointer looks one step behind a pointer: a message has none, but a goroutine may be at work on what is behind another.
func (w *writer) pointer(v reflect.Value, depth int) {
	if v.IsNil() || depth > 1 {
		w.text("&…")
		return
	}
	w.text("&")
	w.value(v.Elem(), depth+1)
}

func (w *writer) scalar(v reflect.Value) {
	w.size += int(v.Type().Size())
	switch {
	case v.Kind() == reflect.Func || v.Kind() == reflect.Chan || v.Kind() == reflect.UnsafePointer:
		w.text(v.Kind().String())
	case v.CanInterface():
		w.text(fmt.Sprint(v.Interface()))
	case v.CanInt():
		w.text(strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		w.text(strconv.FormatUint(v.Uint(), 10))
	case v.CanFloat():
		w.text(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case v.Kind() == reflect.Bool:
		w.text(strconv.FormatBool(v.Bool()))
	}
}

func typeOf(msg any) string {
	if msg == nil {
		return "nil"
	}
	return reflect.TypeOf(msg).String()
}
