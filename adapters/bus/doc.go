// Package bus speaks the wire protocol of the DECNET service bus: as a server (the built-in bus) and as the
// publisher's link to one.
//
// It owns frames, envelopes, topic matching and sockets. It decides nothing: what is published, when, and what an echo
// proves is the publisher's business. Everything that comes from a socket is hostile: bounded before it is read,
// validated before it is believed.
package bus
