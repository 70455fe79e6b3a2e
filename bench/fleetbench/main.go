// Command fleetbench measures decnet-fleetd from outside and prints each number beside the one it has to hold.
//
// Simulator, daemon, bus, subscriber and witness are processes of their own; for those that are not the product it starts
// itself again: `fleetbench sim`, `fleetbench subscribe`, `fleetbench count`, `fleetbench publish`, `fleetbench witness`,
// `fleetbench actors`, `fleetbench workers`.
// `fleetbench document` only makes bench/RESULTS.md again.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fleetbench:", err)
		os.Exit(1) //nolint:gocritic // nothing that stop would undo outlives the process
	}
}

func run(ctx context.Context, args []string) error {
	roles := map[string]func(context.Context, []string) error{
		"sim": runSim, "subscribe": runSubscribe, "count": runCount, "publish": runPublish, "witness": runWitness,
		"actors": runActors, "workers": runWorkers,
		"document": func(context.Context, []string) error {
			root, err := report.Root()
			if err != nil {
				return err
			}
			return report.Document(root + "/bench")
		},
	}
	if len(args) > 0 {
		if role, ok := roles[args[0]]; ok {
			return role(ctx, args[1:])
		}
	}
	return measure(ctx, args)
}
