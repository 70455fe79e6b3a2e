package main

import (
	"context"
	"errors"
	"os"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// Exit codes, the same for every verb. 3 is LSB's "not running", 70 and 78 are EX_SOFTWARE and EX_CONFIG of sysexits.h,
// 130 is the shell's word for SIGINT.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitPermission  = 4
	exitNotFound    = 5
	exitFindings    = 6 // finished; only where the caller asked for it by --check or --detailed-exitcode
	exitTimeout     = 7
	exitRefused     = 8
	exitGaveUp      = 70
	exitConfig      = 78
	exitInterrupted = 130
)

// failure is an error with everything the caller is told.
type failure struct {
	exit int
	code string // for scripts
	hint string // what to do
	err  error  // nil: there is nothing to say, the output said it
}

// Error gives the message.
func (f *failure) Error() string {
	if f.err == nil {
		return f.code
	}
	return f.err.Error()
}

// Unwrap gives the cause.
func (f *failure) Unwrap() error { return f.err }

// withExit gives an error its exit code.
func withExit(code int, err error) error {
	return &failure{exit: code, code: exitWords[code], err: err}
}

// configFault is an error of the configuration; its text has the remedy.
func configFault(err error) error { return withExit(exitConfig, err) }

// usage is an error of the command line.
func usage(err error, hint string) error {
	return &failure{exit: exitUsage, code: exitWords[exitUsage], hint: hint, err: err}
}

// findings is the end of a verb that was asked to tell by its exit code what its output says.
func findings() error { return &failure{exit: exitFindings, code: exitWords[exitFindings]} }

var exitWords = map[int]string{
	exitError: "error", exitUsage: "usage", exitUnreachable: string(console.NotReachable), exitPermission: string(console.Permission),
	exitNotFound: string(console.NotFound), exitFindings: "findings", exitTimeout: string(console.Timeout),
	exitRefused: string(console.Conflict), exitGaveUp: "gave_up", exitConfig: "config", exitInterrupted: "interrupted",
}

var clientExits = map[console.Code]int{
	console.NotReachable: exitUnreachable, console.Permission: exitPermission, console.NotFound: exitNotFound,
	console.Timeout: exitTimeout, console.Conflict: exitRefused, console.NodeAway: exitUnreachable, console.BadConfig: exitConfig,
}

// explain finds the exit code and the words for an error. ctx is that of the verb.
func explain(ctx context.Context, err error) *failure {
	var f *failure
	var refused *console.Error
	var invalid *config.Invalid
	var by interrupted
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &refused):
		code, known := clientExits[refused.Code]
		if !known {
			code = exitError
		}
		return &failure{exit: code, code: string(refused.Code), hint: refused.Hint, err: err}
	case errors.As(err, &invalid):
		return &failure{exit: exitConfig, code: exitWords[exitConfig], err: err,
			hint: "decnet-fleetd config show --origin says where each value comes from"}
	case errors.Is(err, messages.ErrSchema):
		return &failure{exit: exitConfig, code: exitWords[exitConfig], err: err}
	case errors.As(context.Cause(ctx), &by) && errors.Is(err, context.Canceled):
		return &failure{exit: by.exit(), code: exitWords[exitInterrupted], err: by}
	}
	return &failure{exit: exitError, code: exitWords[exitError], err: err}
}

func (i interrupted) exit() int {
	if i.signal == os.Interrupt {
		return exitInterrupted
	}
	return exitError
}
