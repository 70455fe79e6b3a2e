// Command sleeper is the whole content of the test containers: it sleeps until it is told to end.
//
// It takes TERM and INT at once (the first process of a container ignores them by default, and a stop would take ten
// seconds), and can end by itself, so that restart policies have something to do.
package main

import (
	"flag"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	code := flag.Int("code", 0, "exit code")
	after := flag.Duration("for", 0, "end by itself after this time; 0 means never")
	flag.Parse()
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	var over <-chan time.Time
	if *after > 0 {
		over = time.After(*after)
	}
	select {
	case <-told:
	case <-over:
	}
	os.Exit(*code)
}
