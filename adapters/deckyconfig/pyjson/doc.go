// Package pyjson reads JSON as Python's json module does and writes it as orjson does.
//
// DECNET reads its state file with the first and fills its table with the second, so a value that passes through
// both must come out here byte for byte as it does there. The package owns the grammar, the limits (depth, valid
// UTF-8) and the positions of errors; it knows nothing of deckies. Unlike encoding/json it keeps the order of keys,
// the difference between 1 and 1.0, integers of any size, and the literals NaN and Infinity; like Python a repeated
// key keeps its first place and its last value. Nothing in here panics on any input.
package pyjson
