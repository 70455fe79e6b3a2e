package supervise

import "time"

// Intensity is so many events within a window of time. Reaching the number is what triggers.
type Intensity struct {
	Count  int           // at least 1
	Window time.Duration // more than 0
}

// Policy holds the numbers of the supervision. A zero field means its default, so the zero Policy is the one to use;
// tests change some.
type Policy struct {
	Actor     Intensity // crashes of one actor before quarantine. 0 means 5 in 30 s.
	Subsystem Intensity // crashes of one subsystem actor before its group restarts. 0 means 5 in 60 s.
	Root      Intensity // restarts of groups before the root gives up. 0 means 3 in 5 min.
	Storm     Intensity // crashes of all actors that are announced as a storm. 0 means 100 in 30 s.

	BackoffMin time.Duration // wait before the first restart, doubled with each. 0 means 100 ms.
	BackoffMax time.Duration // where the doubling ends. 0 means 30 s.
	Healthy    time.Duration // an incarnation that lived so long clears the actor's history. 0 means 60 s.

	QuarantineRetry time.Duration // an actor in quarantine is tried again this often. 0 means 60 s.
	StuckReport     time.Duration // a handler that runs longer is reported. 0 means 5 s.
	StuckReplace    time.Duration // a handler that runs longer is abandoned. 0 means 30 s.
	StopPatience    time.Duration // a stopping actor that finishes no message for so long is abandoned. 0 means 250 ms.
	AskPatience     time.Duration // how long Ask waits if its context has no deadline. 0 means 5 s.

	Mailbox int64 // bound of waiting messages where the Spec gives none. 0 means 256.
	Crashes int   // crash records kept. 0 means 256.
}

// defaultStopPatience lets four hanging actors fit into the second that a stop of the daemon may take.
const defaultStopPatience = 250 * time.Millisecond

// defaultAskPatience is the deadline that every call to a dependency has.
const defaultAskPatience = 5 * time.Second

// defaultMailbox holds two of the store's batches of 128.
const defaultMailbox = 256

// defaultCrashes times the bounds of a Crash is 3.5 MiB at worst.
const defaultCrashes = 256

// defaultStorm is chosen; only the announcement depends on it.
const defaultStorm = 100

// filled puts in the defaults. Those without a name here are what operators are promised.
func (p Policy) filled() Policy {
	p.Actor = p.Actor.or(5, 30*time.Second)
	p.Subsystem = p.Subsystem.or(5, time.Minute)
	p.Root = p.Root.or(3, 5*time.Minute)
	p.Storm = p.Storm.or(defaultStorm, 30*time.Second)
	fill(&p.BackoffMin, 100*time.Millisecond)
	fill(&p.BackoffMax, 30*time.Second)
	fill(&p.Healthy, time.Minute)
	fill(&p.QuarantineRetry, time.Minute)
	fill(&p.StuckReport, 5*time.Second)
	fill(&p.StuckReplace, 30*time.Second)
	fill(&p.StopPatience, defaultStopPatience)
	fill(&p.AskPatience, defaultAskPatience)
	fill(&p.Mailbox, defaultMailbox)
	fill(&p.Crashes, defaultCrashes)
	return p
}

func (i Intensity) or(count int, window time.Duration) Intensity {
	fill(&i.Count, count)
	fill(&i.Window, window)
	return i
}

func fill[T int | int64 | time.Duration](field *T, standard T) {
	if *field <= 0 {
		*field = standard
	}
}
