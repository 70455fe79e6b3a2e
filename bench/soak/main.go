// Command soak lets two daemons live for an hour, one with real containers that die all the time and one with many more on a
// simulated engine, and then asks both for every single transition: was it received, once and unchanged, in order, and does the
// end agree with the containers. It exits with 1 if anything is wrong. The subscriber is a process of its own: `soak subscribe`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/subscriber"
)

// errWrong is a run whose checker complained.
var errWrong = errors.New("the run was not without fault")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1) //nolint:gocritic // nothing that stop would undo outlives the process
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == "subscribe" && args[1] == "-socket" {
		return subscriber.Run(ctx, args[2], os.Stdout)
	}
	f := flag.NewFlagSet("soak", flag.ContinueOnError)
	s := &soak{}
	f.StringVar(&s.binary, "binary", "bin/decnet-fleetd", "the product")
	f.StringVar(&s.docker, "docker", os.Getenv("IT_DOCKER_HOST"), "engine of our own, as integration/services.sh starts it")
	f.DurationVar(&s.during, "duration", time.Hour, "how long containers are killed")
	f.IntVar(&s.size, "deckies", 20, "how many with real containers, each two services and a base")
	f.IntVar(&s.simulated, "simulated", 1000, "how many on a simulated engine beside them; 0 for none")
	f.Uint64Var(&s.seed, "seed", rand.Uint64(), "of the choice what is killed when")
	f.BoolVar(&s.keep, "keep", false, "keep logs, database and record in any case")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	root, err := report.Root()
	if err != nil {
		return err
	}
	if s.docker == "" {
		return errors.New("no engine of our own: integration/services.sh up docker, or `make soak`")
	}
	if s.binary, err = filepath.Abs(s.binary); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "soak: %v, seed %d\n", s.during, s.seed)
	return s.run(ctx, root)
}
