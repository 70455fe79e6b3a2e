// Package statefile reads decnet-state.json, DECNET's declaration of the fleet, and watches it.
//
// It owns everything about the file: where it lies, whether it may be trusted, what it says, and when to look again.
// It does not own what an entry means (deckyconfig does) nor what follows from a reading (the actors do). It
// promises that no content, owner or kind of file makes it block, panic or use more than bounded memory, that a
// reading is either whole or says why not, and that a file which is merely not there is never confused with one
// that cannot be told. It only ever reads.
package statefile
