package deckyconfig

import (
	"math"
	"strings"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

// encode fills d with the columns and the fields that fleetd works with. The fields have passed check.
//
// Almost all of d's strings are parts of ConfigJSON, so an entry costs three allocations. Name is not: it lives on as
// a key where the configuration it came with is long gone.
func (p *Parser) encode(f *[fieldCount]pyjson.Value, d *messages.Declared) {
	dst := p.buf[:0]
	dst = append(dst, '{')
	var at [fieldCount]int // where each value begins
	for id := range fieldCount {
		if id > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), model[id].key...), '"', ':')
		at[id] = len(dst)
		dst = appendField(dst, id, f[id])
	}
	dst = append(dst, '}')
	p.buf = keep(dst)
	d.ConfigJSON = string(dst)
	d.IP = part(d.ConfigJSON, at[ip], f[ip])
	d.HostUUID = part(d.ConfigJSON, at[hostUUID], f[hostUUID])
	// NaN differs from itself and would look like a change for ever; as a time it means as little as none.
	if t := pyjson.Number(f[lastMutated]); !math.IsNaN(t) && !math.IsInf(t, 0) {
		d.LastMutated = t
	}
	p.services(d, at[services], f[services])
}

// services fills in the service list and its column, which is a part of the configuration that begins at.
func (p *Parser) services(d *messages.Declared, at int, list pyjson.Value) {
	n := 0
	for range list.Elements() {
		n++
	}
	d.Services = make([]string, 0, n)
	end := at + 1
	for i, s := range list.Elements() {
		if i > 0 {
			end++ // the comma
		}
		p.canon = pyjson.AppendString(p.canon[:0], s)
		d.Services = append(d.Services, part(d.ConfigJSON, end, s))
		end += len(p.canon)
	}
	d.ServicesJSON = d.ConfigJSON[at : end+1]
}

// appendField writes the value of a field, its default where it is missing.
func appendField(dst []byte, id fieldID, v pyjson.Value) []byte {
	switch {
	case v.Kind() == 0:
		return append(dst, model[id].absent...)
	case model[id].shape == floatingTime:
		return pyjson.AppendFloat(dst, pyjson.Number(v)) // an integer becomes a float, as it does in DECNET
	}
	return pyjson.Append(dst, v)
}

// part gives the string v, which stands in config from at on, as a piece of config where it stands there unescaped.
// Null is "".
func part(config string, at int, v pyjson.Value) string {
	if v.Kind() != pyjson.String {
		return ""
	}
	s := v.Text()
	if rest := config[at+1:]; len(rest) >= len(s) && rest[:len(s)] == string(s) {
		return rest[:len(s)]
	}
	return strings.Clone(string(s))
}

// keep drops a buffer that one outsized entry has made large. 64 KiB: a hundred times a usual entry.
func keep(buf []byte) []byte {
	if cap(buf) > 64<<10 {
		return nil
	}
	return buf
}
