// Package integration tests the finished binary from outside: state file and table in, containers in a real Docker
// Engine, events out on the bus.
//
// Nothing of the product is imported. The bus decoder, the table's schema and the state file are written here a second
// time, from the formats DECNET's own processes were recorded with, so that a mistake in the product cannot hide in
// its test. services.sh brings up what is shared; engines that a test kills are the test's own. With CI=true a missing
// component fails a test, elsewhere the test skips and says what is missing.
package integration
