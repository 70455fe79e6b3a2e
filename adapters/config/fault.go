package config

import (
	"fmt"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// Fault names a setting or file, what is wrong with it and what to do.
type Fault = messages.Fault

// Error lists the faults, one a line.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// shown is how much of a bad value a message repeats; chosen, nothing depends on it.
const shown = 80

func quoted(value string) string {
	if len(value) > shown {
		return fmt.Sprintf("%q…", value[:shown])
	}
	return fmt.Sprintf("%q", value)
}

// badValue is the fault of a value that is not what it has to be.
func badValue(key string, c candidate, want string) Fault {
	return Fault{
		Where: key + " (" + c.source + ")", What: "is " + quoted(Mask(c.value)) + ", must be " + want,
		Remedy: "correct it or take it out",
	}
}
