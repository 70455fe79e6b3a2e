// Package messages holds what crosses mailboxes: closed sets of plain values.
//
// It imports the standard library only. Every value is frozen once it has been sent: whoever sends a slice or a map
// does not touch it again, whoever receives one does not write to it. There are no pointers to shared state, no
// functions and no channels in here. Facts are named in the past (RuntimeObserved), orders in the imperative
// (SetRow), questions Get…, answers …Reply.
package messages
