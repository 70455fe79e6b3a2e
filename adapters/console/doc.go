// Package console is the daemon's control socket: HTTP over a unix socket, and the client that speaks to it.
//
// It owns the socket, the routes of API version v1, their JSON, the list of recent events and the ways a request can
// fail. It decides nothing and keeps no state of the fleet: every answer is asked of the Backend. Whoever may open the
// socket is still hostile: requests are bounded in size, number and time, and a slow reader loses events, which it is
// told, rather than holding anybody up.
package console
