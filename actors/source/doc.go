// Package source holds the actor through which one description of the fleet becomes facts: the state file, the table or
// the engine.
//
// One actor type, three kinds of reading. An observer (an adapter) reads the world in a goroutine of the actor's and
// hands its readings over one at a time; the actor keeps what it told the fleet last, tells only what differs, and tells
// everything again when asked. It knows nothing of deckies but their names.
package source
