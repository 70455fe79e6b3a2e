package supervise

import "time"

// State is where an actor stands.
type State uint8

// The states of an actor.
const (
	Starting    State = iota // not begun yet, or beginning: messages wait
	Running                  // messages are handled
	Backoff                  // crashed, restarts soon: messages wait
	Quarantined              // crashed too often: messages are refused, those that waited are kept
	Closing                  // retired: handles what waits, refuses more
	Stopped                  // for good
)

// String returns the word every face of the console shows.
func (s State) String() string {
	words := [...]string{"starting", "running", "backoff", "quarantined", "stopping", "stopped"}
	if int(s) >= len(words) {
		return "unknown"
	}
	return words[s]
}

// Stats is a copy of an actor's counters at one moment. All counters are since the actor was spawned and survive its
// restarts. In = Done + Lost + Depth + what a stop discarded, but for the timers in Depth and one message in hand.
type Stats struct {
	State       State
	Incarnation uint32 // 0 = none yet

	Depth     int64 // messages waiting now
	HighWater int64 // most that ever waited
	In        int64 // messages accepted
	Done      int64 // messages handled
	Lost      int64 // messages that were being handled at a crash
	Dropped   int64 // messages refused by Tell and Ask, or discarded at the stop
	Crashes   int64
	Restarts  int64 // incarnations after the first

	Since          time.Time // when the incarnation began, or the last one if none runs; zero = none yet
	InHandlerSince time.Time // when the running handler began, up to 1 s early; zero = none runs
	OldestSince    time.Time // when the oldest waiting message came, up to 1 s early; zero = none waits
}
