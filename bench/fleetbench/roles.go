package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/bench/internal/subscriber"
	"github.com/decnet/decnet-fleetd/bench/internal/witness"
)

// quiet makes the end of the process that was asked for no error.
func quiet(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, flag.ErrHelp) {
		return nil //nolint:nilerr // see above
	}
	return err
}

func runSim(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	socket := f.String("socket", "", "unix socket to answer on")
	deckies := f.Int("deckies", 20, "how many deckies run on it, with three services each")
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	engine, err := dockersim.New(dockersim.Config{Now: time.Now, Seed: 1})
	if err != nil {
		return err
	}
	if err := engine.Add(dockersim.Fleet{Deckies: *deckies, Services: stage.Services()}); err != nil {
		return err
	}
	return quiet(ctx, engine.Serve(ctx, *socket))
}

func runSubscribe(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("subscribe", flag.ContinueOnError)
	socket := f.String("socket", "", "the bus")
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	return quiet(ctx, subscriber.Run(ctx, *socket, os.Stdout))
}

func runCount(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("count", flag.ContinueOnError)
	socket := f.String("socket", "", "the bus")
	topic := f.String("topic", "", "what to count")
	connections := f.Int("connections", 1, "how many subscribers")
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	return quiet(ctx, subscriber.Count(ctx, *socket, *topic, *connections, os.Stdout))
}

// published is what a publisher says at its end.
type published struct {
	Frames  int64   `json:"frames"`
	Seconds float64 `json:"seconds"`
}

func runPublish(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("publish", flag.ContinueOnError)
	var l subscriber.Load
	f.StringVar(&l.Socket, "socket", "", "the bus")
	f.StringVar(&l.Topic, "topic", "", "where to")
	f.IntVar(&l.Rate, "rate", 0, "frames a second, 0 for as many as it takes")
	f.IntVar(&l.Size, "size", 300, "bytes of a frame")
	f.DurationVar(&l.For, "for", time.Second, "how long")
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	frames, took, err := subscriber.Publish(ctx, l)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(published{frames, took.Seconds()})
}

func runWitness(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("witness", flag.ContinueOnError)
	path := f.String("database", "", "the SQLite file")
	rows := f.Bool("rows", false, "tell of each row, not of how many there are in each state")
	every := f.Duration("every", time.Millisecond, "how often to look")
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	return quiet(ctx, witness.Watch(ctx, *path, *every, *rows, os.Stdout))
}
