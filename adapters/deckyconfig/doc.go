// Package deckyconfig is DECNET's model of one decky: what an entry of the state file may be, how the table keeps it,
// and when two of them mean the same.
//
// It owns the rules of the model (types, defaults, order of keys), the byte-exact encoding of the columns services
// and decky_config, and the digest that tells drift from mere spelling. It does not know where entries come from.
// Everything it reads is hostile: an entry is refused with a Fault, never with a panic, and takes bounded memory.
package deckyconfig
