// Package fabric carries what a hub and its workers say to each other: NATS under mutual TLS 1.3, with the certificates
// that DECNET issued when it enrolled the hosts.
//
// It owns the server inside the hub, the workers' connections, who is let in, and the frames. It promises that what the
// hub hears of a host was said by the holder of the certificate enrolled for that host; that a batch is acknowledged
// after the hub's callback has returned, never before; and that neither a flood nor a stall of one worker costs another
// a message. It does not know what a transition means, keeps nothing on disk, and judges nobody's health.
//
// Everything that comes over the wire is hostile: bounded before it is read, validated before it is believed. Nothing
// listens but the one port, nothing is said on it before the TLS handshake, nobody is looked for.
package fabric
