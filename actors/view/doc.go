// Package view holds the read model every face of the console reads.
//
// Actors report to it what changed; it keeps the latest of each decky and component and answers questions from that, so
// that no question ever reaches an actor that works. It decides nothing and nobody waits for it.
package view
