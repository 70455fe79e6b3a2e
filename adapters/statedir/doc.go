// Package statedir keeps the small files of our own in the state directory: the audit of control verbs, the crash
// records of earlier lives, and what operators have paused.
//
// Journals are lines of JSON, only ever appended to and bounded: a full one is kept once more under another name, then
// it goes. What a crash tore is skipped, never repaired. It promises that a failing disk costs the line on disk, not the
// one in memory, and that an unreadable list of pauses means that everything is paused.
package statedir
