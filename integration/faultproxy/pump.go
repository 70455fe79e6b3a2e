package faultproxy

import (
	"bufio"
	"net"
	"time"
)

// look is how often a hanging direction is asked whether it still hangs. Chosen: short against every deadline.
const look = 5 * time.Millisecond

// maxChunk bounds a frame. Source: the bus takes 1 MiB, and its header.
const maxChunk = 2 << 20

// anything takes what has arrived as one chunk.
func anything(data []byte, _ bool) (int, []byte, error) {
	if len(data) == 0 {
		return 0, nil, nil
	}
	return len(data), data, nil
}

// direction is one half of a connection.
type direction struct {
	p      *Proxy
	dst    net.Conn
	src    net.Conn
	fault  func(*Faults) Fault
	n      int    // chunks
	bytes  int    // passed since the fault began to count
	cut    int    // the CutAfter that bytes count for
	behind []byte // held back by Reorder
}

// pump passes chunks on until either side ends; true: the source ended by itself.
func (p *Proxy) pump(dst, src net.Conn, split bufio.SplitFunc, fault func(*Faults) Fault) bool {
	if split == nil {
		split = anything
	}
	d := &direction{p: p, dst: dst, src: src, fault: fault}
	in := bufio.NewScanner(src)
	in.Buffer(make([]byte, 32<<10), maxChunk)
	in.Split(split)
	for in.Scan() {
		p.chunks.Add(1)
		d.n++
		if !d.pass(in.Bytes()) {
			return false
		}
	}
	return in.Err() == nil
}

// pass spoils a chunk; false ends the connection.
func (d *direction) pass(chunk []byte) bool {
	f := d.fault(d.p.faults.Load())
	for f.Hang {
		if !d.p.alive(d.src) || !d.p.alive(d.dst) {
			return false
		}
		time.Sleep(look)
		f = d.fault(d.p.faults.Load())
	}
	time.Sleep(f.Delay)
	if f.Rate > 0 {
		time.Sleep(time.Duration(len(chunk)) * time.Second / time.Duration(f.Rate))
	}
	if f.Swallow || nth(d.n, f.Drop) {
		return true
	}
	if f.Truncate > 0 && len(chunk) > f.Truncate {
		chunk = chunk[:f.Truncate]
	}
	if nth(d.n, f.Reorder) && d.behind == nil {
		d.behind = append([]byte{}, chunk...)
		return true
	}
	ok := d.send(f, chunk) && (!nth(d.n, f.Duplicate) || d.send(f, chunk))
	if ok && d.behind != nil {
		ok = d.send(f, d.behind)
		d.behind = nil
	}
	return ok
}

func nth(n, each int) bool { return each > 0 && n%each == 0 }

// send writes a chunk, or the part of it after which the connection is cut.
func (d *direction) send(f Fault, chunk []byte) bool {
	if d.cut != f.CutAfter {
		d.cut, d.bytes = f.CutAfter, 0
	}
	if f.CutAfter > 0 && d.bytes+len(chunk) >= f.CutAfter {
		_, _ = d.dst.Write(chunk[:f.CutAfter-d.bytes]) // it ends here in any case
		return false
	}
	d.bytes += len(chunk)
	_, err := d.dst.Write(chunk)
	return err == nil
}
