// Package docker tells what a Docker engine runs: it is the observer of the runtime.
//
// Events are hints, lists are truth. Runtime subscribes to the event stream first and lists then; an event only marks
// the id of its container, and what is told about that container comes from a list of the marked ids or from the full
// list that is taken again every 9 to 28 seconds. Nothing is ever inspected. The stream is read at once and into
// bounded memory whatever the rest of the process does, because a slow reader slows the engine down for everybody.
//
// Whatever the engine answers is hostile: lists are read as a stream into the few fields that matter, every length,
// depth and count has a bound, and one bad byte discards the whole list. Runtime keeps no truth of its own and
// chooses nothing: which container belongs to which decky, and what follows from it, is decided elsewhere.
package docker
