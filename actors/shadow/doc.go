// Package shadow compares what this daemon would do with what DECNET's own reconciler does beside it.
//
// It owns the comparison and its report. The deckies of a shadow order nothing; they report what they would order, and
// what they see of their row. The shadow keeps each intent until the table shows the change or the reference's time is
// up, and says of each change in the table whether it was one of ours. It writes nothing, publishes nothing, and decides
// nothing about a fleet. It promises that everything it keeps has a bound, and that what is not kept is counted.
package shadow
