package config

import (
	"strconv"
	"strings"
)

// newlines makes every line end in \n, as Python does when it opens a text file.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// dotenv holds the variables of a .env.local and the lines that could not be read.
type dotenv struct {
	path   string
	values map[string]string // "" also for a name without an equal sign, which takes a value back
	bad    []int             // line numbers
}

// parseDotenv reads what python-dotenv reads, which is what loads this file for DECNET: quotes, escapes, export, values
// over several lines, ${NAME} and ${NAME:-default}. A line it cannot read is skipped. A variable of the environment
// wins over one of the file, inside ${} too.
func parseDotenv(path, text string, lookup func(string) (string, bool)) *dotenv {
	d := &dotenv{path: path, values: map[string]string{}}
	left := MaxFile
	for p := (&dotenvReader{rest: newlines.Replace(text), line: 1}); p.skipSpace(); {
		at := p.line
		b, ok := p.binding()
		if !ok {
			d.bad = append(d.bad, at)
			continue
		}
		if b.key == "" {
			continue // a comment
		}
		value, ok := expand(b.value, left, func(name string) (string, bool) {
			if v, ok := lookup(name); ok {
				return v, true
			}
			v, ok := d.values[name]
			return v, ok
		})
		if !ok {
			d.bad = append(d.bad, at)
			return d
		}
		left -= len(value)
		d.values[b.key] = value
	}
	return d
}

// expand fills in ${NAME} and ${NAME:-default}; quotes make no difference to python-dotenv, and a bare $NAME stays. It
// gives up where more than limit bytes come out: a reference doubles what it names, a chain could fill the memory.
func expand(s string, limit int, lookup func(string) (string, bool)) (value string, ok bool) {
	var out strings.Builder
	for out.Len() <= limit {
		before, after, found := strings.Cut(s, "${")
		out.WriteString(before)
		if !found {
			return out.String(), out.Len() <= limit
		}
		name, fallback, tail, ok := cutReference(after)
		if !ok {
			out.WriteString("${")
			s = after
			continue
		}
		if v, has := lookup(name); has {
			fallback = v
		}
		out.WriteString(fallback)
		s = tail
	}
	return "", false
}

func cutReference(after string) (name, fallback, tail string, ok bool) {
	end := strings.IndexAny(after, "}:")
	if end < 0 {
		return "", "", "", false
	}
	name, tail = after[:end], after[end:]
	if rest, has := strings.CutPrefix(tail, ":-"); has {
		fallback, tail, ok = strings.Cut(rest, "}")
		return name, fallback, tail, ok
	}
	tail, ok = strings.CutPrefix(tail, "}")
	return name, "", tail, ok
}

func (d *dotenv) lookup(name string) (candidate, bool) {
	if d == nil {
		return candidate{}, false
	}
	v := d.values[name]
	return candidate{value: v, source: ".env.local " + d.path + " " + name, layer: layerDotenv}, v != ""
}

// skipped says which lines were passed over, "" if none.
func (d *dotenv) skipped() string {
	if d == nil || len(d.bad) == 0 {
		return ""
	}
	lines := make([]string, 0, 5)
	for _, n := range d.bad[:min(len(d.bad), cap(lines))] {
		lines = append(lines, strconv.Itoa(n))
	}
	return d.path + ": cannot read line " + strings.Join(lines, ", ") + "; DECNET skips it too"
}
