package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	ctx, stop := interruptible()
	a := &app{
		in: os.Stdin, inTTY: term.IsTerminal(int(os.Stdin.Fd())),
		out: os.Stdout, err: os.Stderr, given: map[string]string{},
		outTTY: term.IsTerminal(int(os.Stdout.Fd())), errTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// interrupted is why the context of a verb ended.
type interrupted struct{ signal os.Signal }

// Error names the signal.
func (i interrupted) Error() string { return "stopped by signal: " + i.signal.String() }

// impatient is how long after the first signal another one counts as a second. Source: timeout(1) and shells signal the
// process and its group, which is one wish in two signals.
const impatient = 250 * time.Millisecond

// interruptible gives a context that ends with SIGINT or SIGTERM. A second one ends the process at once.
func interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(interrupted{<-signals})
		time.Sleep(impatient)
		for len(signals) > 0 {
			<-signals
		}
		<-signals
		os.Exit(exitInterrupted)
	}()
	return ctx, func() { cancel(nil) }
}
