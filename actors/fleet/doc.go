// Package fleet holds the actor that knows who should exist.
//
// It takes the changes the three sources report, attributes containers to deckies, starts an actor for every decky that
// file or table know and retires those that neither knows, and passes each decky what concerns it. It watches over what
// only the whole fleet shows: whether so many rows may be deleted at once (guard), and whether a redeploy is under way
// (redeploy). It decides nothing about a single decky.
package fleet
