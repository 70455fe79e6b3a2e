package swarm

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// beatEvery is the pace of a worker's signs of life. Source: a third of the silence that makes it suspect.
	beatEvery = time.Second
	// rootPatience is how long the root supervisor may take to answer before its beat. Chosen: below beatEvery.
	rootPatience = 800 * time.Millisecond
)

// BeatsConfig is what the beats need. All fields are required.
type BeatsConfig struct {
	// Root makes a round trip through the root supervisor: a worker whose root is stuck is not alive.
	Root func(ctx context.Context) error
	// Say is what a beat tells besides that it is one. It asks nobody.
	Say func() messages.Beat
	// Send brings it to the hub. Lost without a connection.
	Send func(b messages.Beat) error
}

// Beats is the actor that shows the hub that this worker lives.
type Beats struct {
	cfg  BeatsConfig
	n    uint64
	busy bool
}

// NewBeats returns the actor; give it to a supervise.Spec.
func NewBeats(cfg BeatsConfig) *Beats { return &Beats{cfg: cfg} }

type beaten struct{}

// Receive handles one message.
func (b *Beats) Receive(c *supervise.Ctx, msg any) {
	switch msg.(type) {
	case supervise.Started, messages.Tick:
		c.After(beatEvery, messages.Tick{Name: "beat"})
		b.beat(c)
	case beaten:
		b.busy = false
	}
}

func (b *Beats) beat(c *supervise.Ctx) {
	if b.busy {
		return // the root has not answered, or the connection takes nothing
	}
	b.busy = true
	b.n++
	n := b.n
	c.Go("beat", func(ctx context.Context) {
		defer func() { c.After(0, beaten{}) }()
		limited, cancel := context.WithTimeout(ctx, rootPatience)
		defer cancel()
		if b.cfg.Root(limited) != nil {
			return
		}
		beat := b.cfg.Say()
		beat.N, beat.At = n, messages.Moment{Time: c.Now()}
		_ = b.cfg.Send(beat) // the next one comes in a second
	})
}
