// Package unixsock binds unix sockets for the servers of this product.
//
// It owns the way to a path: who may have it, how the socket gets its mode and group before anybody can see it, and how
// it goes away again without taking a successor's with it. What is spoken over the socket it does not know. It promises
// that a socket at which somebody answers, and anything that is no socket, is left alone.
package unixsock
