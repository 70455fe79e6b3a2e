// Package metrics counts and times what the daemon does and shows it in Prometheus's text format.
//
// It owns the names, the buckets and the registry; it decides nothing and asks no actor: what it shows is counted by the
// wiring as it passes, or read from what actors published before. A scrape therefore never waits for an actor, and a
// stuck one is shown like any other. No label holds a name from the state file, the table or an engine: those are
// hostile, and there are thousands of them.
package metrics
