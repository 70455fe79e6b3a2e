// Package web is the console in a browser: pages rendered on the server, complete without JavaScript and kept up to date
// by a little of it where there is some.
//
// It owns what a page looks like and nothing else. What it shows and does comes from a Model; OverAPI makes one of the
// API's own handler, so that roles, bounds and the audit are those of every other face. All text from outside is inert:
// html/template escapes it for where it stands, and what reorders or hides text is shown as an escape first. Gate serves
// the same pages on a loopback port to whoever opened its one-time link.
package web
