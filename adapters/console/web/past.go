package web

import (
	"sync"
	"time"
)

// sample is what the curves are made of.
type sample struct {
	at      time.Time
	numbers [curves]float64
}

// The curves of the overview.
const (
	curveMailbox = iota
	curveOutbox
	curveRestarts
	curveMemory
	curves
)

// Bounds of the past. Chosen: a quarter of an hour, the length a person thinks back when something has just happened.
const (
	sampleEvery = 5 * time.Second
	samplesKept = 180
)

// past keeps what the pages saw lately. It grows only while somebody looks: nobody samples for nobody.
type past struct {
	mu   sync.Mutex
	kept []sample
}

// due says whether a sample is wanted now.
func (p *past) due(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.kept) == 0 || now.Sub(p.kept[len(p.kept)-1].at) >= sampleEvery
}

func (p *past) add(s sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept = append(p.kept, s); len(p.kept) > samplesKept {
		p.kept = append(p.kept[:0], p.kept[1:]...)
	}
}

// curve gives the numbers of one curve, oldest first.
func (p *past) curve(i int) []float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]float64, 0, len(p.kept))
	for _, s := range p.kept {
		out = append(out, s.numbers[i])
	}
	return out
}

// pasts are those of this host and of the others that somebody looked at.
type pasts struct {
	mu  sync.Mutex
	all map[string]*past
}

// maxPasts bounds the hosts whose curves are kept. Chosen: some MiB at most.
const maxPasts = 256

// of is the past of a host; "" is this one.
func (p *pasts) of(host string) *past {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil || len(p.all) >= maxPasts && p.all[host] == nil {
		p.all = map[string]*past{}
	}
	if p.all[host] == nil {
		p.all[host] = &past{}
	}
	return p.all[host]
}
