// Package tui is the console in a terminal: the same read model as the other faces, keys instead of links.
//
// Update and View are pure functions of a Model and what happened, so that every screen can be tested as text; the
// daemon is reached by commands only, each with a deadline. It keeps a bounded number of events and nothing else that
// grows. Every text that comes from outside passes Config.Escape before it is drawn.
package tui
