package supervise

import (
	"bytes"
	"context"
	"runtime/pprof"
	"strconv"
	"strings"
)

// Labels of goroutines, in profiles too.
const (
	labelActor     = "actor"     // kind/id
	labelGoroutine = "goroutine" // the name given to Ctx.Go
)

// marker answers a function that labels the running goroutine with an actor's name. It is called on every wake-up: after a
// pause hollywood runs an actor in a new goroutine, and that inherits the labels of whoever woke it.
func marker(actor string) func() {
	ctx := pprof.WithLabels(context.Background(), pprof.Labels(labelActor, actor))
	return func() { pprof.SetGoroutineLabels(ctx) }
}

// stackOf finds the stacks of the goroutines that are in an actor's code, in the form of a goroutine profile; "" if there
// are none. It stops the world for a moment, so it is for stuck actors only.
func stackOf(actor string) string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return ""
	}
	return clip(findStack(profile.String(), actor), maxStack)
}

// findStack picks from a profile the blocks with the actor's label alone, so not those of its Ctx.Go, that stand in a
// shell: a goroutine that the actor has just woken may still carry its label.
func findStack(profile, actor string) string {
	label := "# labels: {" + strconv.Quote(labelActor) + ":" + strconv.Quote(actor) + "}\n"
	var found []string
	for block := range strings.SplitSeq(profile, "\n\n") {
		if _, stack, ok := strings.Cut(block, label); ok && strings.Contains(stack, "supervise.(*shell)") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
