package messages

// GetAlive asks any actor of the daemon whether it handles messages; the answer is an Alive. It has no meaning of its
// own: the round trip is the point.
type GetAlive struct{}

// Alive answers GetAlive.
type Alive struct{}

// Ready says whether the daemon does its work, and if not, why.
type Ready struct {
	Passed  bool     `json:"passed"`  // the first complete pass is over
	Role    string   `json:"role"`    // owner, standby, shadow, starting
	Reasons []string `json:"reasons"` // why it is not ready; empty if it is
}

// GetHealth asks whether the daemon's core answers; the answer is an Alive, or an error that says who does not.
type GetHealth struct{}

// GetReady asks whether the daemon does its work; the answer is a Ready.
type GetReady struct{}
