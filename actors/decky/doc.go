// Package decky holds the actor that owns one decky's reconciliation state.
//
// The actor receives what the three sources say about its decky, keeps the latest of it (fold), chooses what to do from
// all of it (decide) and performs that choice: an order to the store, a wish to the fleet, a timer. fold, decide and
// aggregate are pure. The actor never touches a file, a database, Docker or the bus, and it knows no other decky.
package decky
