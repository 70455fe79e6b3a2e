// Package dockersim is an engine that speaks enough of Docker's HTTP API on a unix socket for the ordinary docker
// command, for DECNET and for fleetd to take it for one, and that runs nothing: a fleet of 30,000 containers and
// 5,000 events a second cost it next to no time and no privilege. It serves demos, benchmarks and the tests of
// whatever talks to an engine. It breaks on demand, in the ways real engines break.
//
// What it promises: a change and its event are one step, so that a list read after an event shows at least that
// event; times of events come from the clock it is given; a stream that is not read loses events and slows nobody.
// What it does not have: images, networks, volumes, logs, and latency.
package dockersim
