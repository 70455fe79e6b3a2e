// Package supervise keeps actors alive. It owns their processes, mailboxes, names, restarts and crash records; it knows
// nothing of what they do.
//
// Every actor is a shell: one hollywood process for life, and inside it a row of incarnations, each a fresh Receiver. A
// panic in the producer, a message, a timer, the stop or a goroutine ends the incarnation, never the process: hollywood's
// own restart code loses and doubles messages and can end the daemon, so it is never reached.
//
// The waiting messages belong to the Ref, not to the process, and hollywood carries only the wake-ups. So they keep their
// order and their bound while the actor is down, and they outlive a process that hangs and has to be replaced. Only the
// message that was being handled at a crash is lost; the crash record names it.
//
// One root supervisor, itself an actor, decides with the pure functions of decide.go: restart with backoff, quarantine,
// restart of a group, or giving up. It promises that it never sleeps, that it never calls into an actor, and that one
// actor's trouble never delays another's messages.
package supervise
