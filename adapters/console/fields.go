package console

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// fields are the JSON keys of a type of item, to filter and sort by.
type fields struct {
	by    map[string][]int
	names []string
	host  []int   // of the host id, where the item is named {host}:{name}
	text  [][]int // fields by which an item is searched
}

// fieldCache holds the fields of each type that was asked for; there are a dozen.
var fieldCache sync.Map

// searched are the keys in which a bare word is looked for.
var searched = []string{"name", "pid", "actor", "target", "key", "verb", "user", "labels", "line"}

func alias(name string) string {
	switch name {
	case "mbox":
		return "mailbox"
	case "hwm":
		return "high_water"
	case "rst":
		return "restarts"
	case "oldest":
		return "oldest_seconds"
	case "svc":
		return "services"
	case "node":
		return "host_uuid"
	case "p99":
		return "p99_seconds"
	case "p50":
		return "p50_seconds"
	}
	return name
}

func fieldsOf(t reflect.Type) *fields {
	if f, known := fieldCache.Load(t); known {
		return f.(*fields)
	}
	f := &fields{by: map[string][]int{}}
	for _, x := range reflect.VisibleFields(t) {
		key, _, _ := strings.Cut(x.Tag.Get("json"), ",")
		if key == "" || key == "-" || x.Anonymous {
			continue
		}
		f.by[key] = x.Index
		f.names = append(f.names, key)
		if slices.Contains(searched, key) {
			f.text = append(f.text, x.Index)
		}
	}
	slices.Sort(f.names)
	f.host = f.by["host_uuid"]
	got, _ := fieldCache.LoadOrStore(t, f)
	return got.(*fields)
}

// texts are those a bare word is looked for in: names, and {host}:{name}.
func (f *fields) texts(item reflect.Value) []string {
	out := make([]string, 0, len(f.text)+1)
	for _, path := range f.text {
		out = append(out, textsOf(item.FieldByIndex(path), 0)...)
	}
	if name, is := f.by["name"]; is && f.host != nil {
		out = append(out, item.FieldByIndex(f.host).String()+":"+item.FieldByIndex(name).String())
	}
	return out
}

// hosted says whether items belong to a host each.
func (f *fields) hosted() bool { return f.by["host_uuid"] != nil || f.by["node"] != nil }

// hosts are the names of the host an item belongs to.
func (f *fields) hosts(item reflect.Value) []string {
	var out []string
	for _, key := range []string{"node", "host_uuid"} {
		if path := f.by[key]; path != nil && item.FieldByIndex(path).String() != "" {
			out = append(out, item.FieldByIndex(path).String())
		}
	}
	return out
}

// most bounds how much of one field is looked at. Chosen: no decky has more services.
const mostTexts = 256

// textsOf are the texts in a field: one of a plain value, those of all elements of a list and of all fields of a struct.
func textsOf(v reflect.Value, depth int) []string {
	if depth > 2 {
		return nil
	}
	if m, is := reflect.TypeAssert[messages.Moment](v); is {
		if m.IsZero() {
			return nil
		}
		return []string{m.UTC().Format(time.RFC3339)}
	}
	switch v.Kind() { //nolint:exhaustive // what is not named is handled below
	case reflect.String:
		return []string{v.String()}
	case reflect.Bool:
		return []string{strconv.FormatBool(v.Bool())}
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return textsOf(v.Elem(), depth)
	case reflect.Slice:
		var out []string
		for i := 0; i < v.Len() && len(out) < mostTexts; i++ {
			out = append(out, textsOf(v.Index(i), depth+1)...)
		}
		return out
	case reflect.Struct:
		var out []string
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out = append(out, textsOf(v.Field(i), depth+1)...)
			}
		}
		return out
	}
	if n, is := numberOf(v); is {
		return []string{strconv.FormatFloat(n, 'f', -1, 64)}
	}
	return nil
}

func numberOf(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	case v.Kind() == reflect.Slice:
		return float64(v.Len()), true
	}
	return 0, false
}

// sortItems sorts by a field: numbers from the greatest, texts from A; -field the other way round. It is false where
// there is no such field.
func sortItems[T any](items []T, by string) bool {
	field, reverse := strings.CutPrefix(by, "-")
	path, known := fieldsOf(reflect.TypeFor[T]()).by[alias(field)]
	if !known {
		return false
	}
	slices.SortStableFunc(items, func(a, b T) int {
		x, y := reflect.ValueOf(a).FieldByIndex(path), reflect.ValueOf(b).FieldByIndex(path)
		c := 0
		if n, is := numberOf(x); is {
			m, _ := numberOf(y)
			c = cmp.Compare(m, n)
		} else {
			c = slices.Compare(textsOf(x, 0), textsOf(y, 0))
		}
		if reverse {
			return -c
		}
		return c
	})
	return true
}
