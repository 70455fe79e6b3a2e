// Package pulse speaks for the daemon on the DECNET bus: it sends the heartbeat by which DECNET's worker panel knows a
// reconciler, obeys the panel's stop, and notices a second reconciler.
//
// It owns no connection: what it says goes through the publisher, what it hears comes from there. It speaks only while
// this process owns the host's rows. It promises to call Stop once at most in an incarnation, to say every odd thing it
// hears once and not once a message, and never to obey itself: the bus does not echo to the connection that publishes.
package pulse
