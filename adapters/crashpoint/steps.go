// Package crashpoint numbers the durable steps of the product: the moments between which a crash must lose nothing. In a
// binary built with the tag crashpoints the process can be told to kill or stop itself at one of them; in every other binary At
// compiles to nothing. It knows no adapter; adapters call it.
package crashpoint

// Step is a moment at which the process may die.
type Step string

// The steps, in the order of one transition's life. integration reads this list and dies at each of them.
const (
	FileRead    Step = "file-read"    // the state file's bytes are in memory
	ListRead    Step = "list-read"    // the engine's list is in memory
	LeaseTaken  Step = "lease-taken"  // the lease is ours, nobody here knows yet
	LeaseBeat   Step = "lease-beat"   // before the lease is moved
	LeaseBeaten Step = "lease-beaten" // it has moved
	Begun       Step = "begun"        // a transaction is open, nothing is written
	Committing  Step = "committing"   // everything is written, nothing is durable
	Committed   Step = "committed"    // it is durable, nobody here knows yet
	Publishing  Step = "publishing"   // before frames go to the bus
	Published   Step = "published"    // the bus's socket has them
	Echoed      Step = "echoed"       // an acknowledgement has come, nobody here knows yet
	Deleting    Step = "deleting"     // before acknowledged rows leave the outbox
	Deleted     Step = "deleted"      // they have left
)
