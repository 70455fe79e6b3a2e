// Command decnet-fleetd keeps DECNET's table of deckies true to what was declared and to what really runs, and announces
// every change.
//
// Here everything meets: settings, adapters, actors, the terminal. The verbs decide nothing about the fleet; they find
// out what they were told, ask the daemon or run one, and say what came of it. The clock, the environment and the
// process belong to this package alone.
package main
