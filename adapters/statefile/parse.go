package statefile

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strings"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig"
	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

// maxWarnings bounds how many warnings a reading carries. Chosen: nobody reads more.
const maxWarnings = 100

// content is what the bytes of a file say. It is frozen: readings of the same bytes share it.
type content struct {
	valid    bool
	fault    messages.Fault // why not
	entries  []messages.Declared
	rejected []messages.Rejected
	warnings []messages.Fault
}

// outcome is what one entry says, whatever its place. The zero fault means that it is good; else the fault's Where
// is the path inside the entry.
type outcome struct {
	declared messages.Declared
	fault    messages.Fault
}

// sum identifies bytes. 128 bits with seeds of this process: nobody can make two texts that collide.
type sum [2]uint64

// parser turns the bytes of a file into content. It remembers the entries of the last valid file, so that a change
// costs what changed.
type parser struct {
	path  string
	seeds [2]maphash.Seed
	entry deckyconfig.Parser
	known map[sum]int32 // index into outcomes
	// outcomes of the last valid file in its order.
	outcomes []outcome
}

func newParser(path string) *parser {
	return &parser{path: path, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

func (p *parser) sum(b []byte) sum {
	return sum{maphash.Bytes(p.seeds[0], b), maphash.Bytes(p.seeds[1], b)}
}

// parse reads a whole file. It keeps nothing of text.
func (p *parser) parse(text []byte) *content {
	l, f, ok := survey(text)
	if !ok {
		return &content{fault: p.located(f)}
	}
	outcomes := p.entries(text, l.entries)
	c := &content{valid: true}
	for _, w := range l.warnings(text) {
		c.warnings = append(c.warnings, p.located(w))
	}
	p.collect(c, outcomes)
	return c
}

// entries reads the entries, those that are unchanged from memory.
func (p *parser) entries(text []byte, spans []pyjson.Span) []outcome {
	outcomes := make([]outcome, len(spans))
	known := make(map[sum]int32, len(spans))
	for i, s := range spans {
		raw := text[s.Start:s.End]
		id := p.sum(raw)
		if was, ok := p.known[id]; ok {
			outcomes[i] = p.outcomes[was]
		} else {
			outcomes[i] = p.parseEntry(raw)
		}
		known[id] = int32(i)
	}
	p.known, p.outcomes = known, outcomes
	return outcomes
}

func (p *parser) parseEntry(raw []byte) (o outcome) {
	var err error
	if o.declared, err = p.entry.Parse(raw); err != nil && !errors.As(err, &o.fault) {
		o.fault = messages.Fault{What: err.Error()}
	}
	return o
}

// collect sorts the outcomes into entries and rejected ones. All entries of one name are rejected, good or not: which
// of them DECNET meant cannot be told.
func (p *parser) collect(c *content, outcomes []outcome) {
	twins := twinsOf(outcomes)
	c.entries = make([]messages.Declared, 0, len(outcomes))
	for i := range outcomes {
		o := &outcomes[i]
		f := o.fault
		if other, twin := twins[i]; twin && f == (messages.Fault{}) {
			f = messages.Fault{Where: "name", What: fmt.Sprintf("%q is also the name of config.deckies[%d]", o.declared.Name, other),
				Remedy: "rename one of them: their containers would have the same names"}
		}
		if f != (messages.Fault{}) {
			f.Where = entryPath(i, f.Where)
			c.rejected = append(c.rejected, messages.Rejected{Index: i, Name: o.declared.Name, Fault: p.located(f)})
			continue
		}
		c.entries = append(c.entries, o.declared)
		p.warnUnknown(c, i, o.declared.UnknownKeys)
	}
}

// twinsOf gives for every entry whose name is not its own the index of another that has it.
func twinsOf(outcomes []outcome) map[int]int {
	var twins map[int]int
	first := make(map[string]int, len(outcomes))
	for i := range outcomes {
		name := outcomes[i].declared.Name
		if name == "" {
			continue
		}
		other, seen := first[name]
		if !seen {
			first[name] = i
			continue
		}
		if twins == nil {
			twins = make(map[int]int)
		}
		twins[i] = other
		if _, told := twins[other]; !told {
			twins[other] = i
		}
	}
	return twins
}

// warnUnknown names the keys of entry i that DECNET does not know.
func (p *parser) warnUnknown(c *content, i int, keys []string) {
	if len(keys) == 0 || len(c.warnings) > maxWarnings {
		return
	}
	if len(c.warnings) == maxWarnings {
		c.warnings = append(c.warnings, p.located(messages.Fault{Where: "config.deckies", What: "has more entries with unknown keys"}))
		return
	}
	quoted := make([]string, len(keys))
	for n, k := range keys {
		quoted[n] = fmt.Sprintf("%q", k)
	}
	c.warnings = append(c.warnings, p.located(messages.Fault{Where: entryPath(i, ""),
		What:   "has keys that DECNET does not know: " + strings.Join(quoted, ", "),
		Remedy: "remove them: DECNET refuses the whole file for them; they are not written to the table"}))
}

// entryPath is the JSON path of something inside the entry i.
func entryPath(i int, inside string) string {
	s := fmt.Sprintf("config.deckies[%d]", i)
	if inside != "" {
		s += "." + inside
	}
	return s
}

// located puts the file's path before the place inside it.
func (p *parser) located(f messages.Fault) messages.Fault {
	if f.Where == "" {
		f.Where = p.path
	} else {
		f.Where = p.path + ": " + f.Where
	}
	return f
}
