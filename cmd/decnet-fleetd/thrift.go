package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/messages"
)

// The daemon shares its host with a fleet: it trades a little processor time for memory.
const (
	// thriftyGC is the garbage collector's percentage. Source: measured at 10,000 deckies, 100 takes 57 MiB more than
	// 30, and 0.1 % of a core less. GOGC in the environment wins.
	thriftyGC = 30
	// hubGC is that of a hub, which has a host of its own and the transitions of a whole swarm. Source: measured, a
	// transaction of 500 transitions takes a tenth less, and the hub of 50,000 deckies 3 to 18 MiB more.
	hubGC = 100
	// thriftEvery is how often memory that is free is looked at. Source: measured at 10,000 deckies, where the first look
	// comes in the midst of the first pass and the second one takes 40 MiB.
	thriftEvery = 8 * time.Second
	// thriftImage is at every which look, the first among them, the pages of the program are given back. Chosen: once a
	// minute, they are soon used again.
	thriftImage = 8
	// thriftFree is how much free memory is worth a collection to give it back. Chosen: what a burst may leave.
	thriftFree = 8 << 20
)

// thrift gives memory back to the system that the runtime would keep for a burst that is over.
func (n *node) thrift() {
	if os.Getenv("GOGC") == "" {
		percent := thriftyGC
		if n.cluster.role == config.RoleHub {
			percent = hubGC
		}
		debug.SetGCPercent(percent)
	}
	n.sys.Spawn(supervise.Spec{Kind: "thrift", ID: "memory", New: func() supervise.Receiver { return &thrifty{} }})
}

// thrifty is that actor.
type thrifty struct{ looks int }

// Receive handles one message.
func (t *thrifty) Receive(c *supervise.Ctx, msg any) {
	switch msg.(type) {
	case supervise.Started:
		c.After(thriftEvery, messages.Tick{Name: "thrift"})
	case messages.Tick:
		log, image := c.Log(), t.looks%thriftImage == 0
		c.Go("free", func(context.Context) { giveBack(log, image) })
		t.looks++
		c.After(thriftEvery, messages.Tick{Name: "thrift"})
	}
}

func giveBack(log *zerolog.Logger, image bool) {
	if freeHeap() > thriftFree {
		debug.FreeOSMemory()
	}
	if !image {
		return
	}
	if err := forgetImage(); err != nil {
		log.Debug().Err(err).Msg("pages of the program stay in memory")
	}
}

// freeHeap is memory of the heap that is free and has not been given back.
func freeHeap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s[0].Value.Uint64()
}
