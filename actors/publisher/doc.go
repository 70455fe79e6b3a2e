// Package publisher relays the outbox to the DECNET bus, in order per decky, until every row is known to have been
// fanned out.
//
// The bus acknowledges nothing. A second connection therefore subscribes to what the first publishes, and the echo of a
// row's event_id is its acknowledgement: it proves that the server fanned the event out, not that a subscriber who was
// just reconnecting got it. The package owns what is in flight and nothing else: rows live in the outbox until the store
// hears that they were acknowledged, so a crash here costs duplicates (of the same id) and never an event.
//
// It promises: rows of one decky reach the bus in the order of their ids; a row is reported to the store only after its
// echo; at most one row of a decky and a bounded window in all are in flight; a row the bus refuses is parked alone and
// holds up nobody but its own decky, for the few seconds of its tries. It publishes only while this process owns the
// host's rows.
package publisher
