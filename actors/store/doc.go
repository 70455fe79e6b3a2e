// Package store holds the only actor that writes to the table.
//
// Deckies order one change each; the store gathers what is ordered, writes it in batches, each batch in one transaction
// together with the outbox, and answers with the row as it is then. A decky's later order replaces its earlier one as
// long as that has not begun, so a database that is away for an hour costs no memory and ends in no old write. The store
// also keeps the lease that says which process owns this host's rows. It does not know why a row changes.
package store
