package main

import (
	"context"
	"fmt"
	"hash/maphash"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// counted is what the list of deckies shows of an actor's counters, which move without anybody telling the view.
type counted struct {
	id                        string
	restarts, mailbox, higher int64
}

var countedSeed = maphash.MakeSeed()

// deckiesVersion is the view's, mixed with the counters.
func (n *node) deckiesVersion(ctx context.Context) (messages.DeckiesVersion, error) {
	a, err := n.view.Ask(ctx, messages.GetDeckiesVersion{})
	if err != nil {
		return 0, err
	}
	v, is := a.(messages.DeckiesVersion)
	if !is {
		return 0, fmt.Errorf("the answer to GetDeckiesVersion is a %T", a)
	}
	var sum uint64 // in any order
	n.sys.Each(func(r *supervise.Ref) {
		if r.Kind() == "decky" {
			s := r.Stats()
			sum += maphash.Comparable(countedSeed, counted{r.ID(), s.Restarts, s.Depth, s.HighWater})
		}
	})
	return messages.DeckiesVersion(maphash.Comparable(countedSeed, [2]uint64{uint64(v), sum})), nil
}
