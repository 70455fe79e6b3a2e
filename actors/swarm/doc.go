// Package swarm is what makes a hub and its workers one cluster: the shipper that brings a worker's committed transitions
// to the hub, its beats, the mirror that writes them at the hub, and the members that know who is alive.
//
// A worker's transition is deleted when the hub has committed it; the hub's ordinary publisher announces it. Silence of a
// worker is a flag and an event, never a changed row. What belongs on the wire, and who may say it, is the fabric's
// business; what is compared with the table is the database's.
package swarm
