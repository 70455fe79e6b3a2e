// Package panics says where a panic that somebody recovers came from.
package panics

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// Site is the line that panicked, as file:line without directories. Call it in the deferred function that recovers; elsewhere
// it means nothing.
func Site() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for panicked := false; ; {
		f, more := frames.Next()
		inRuntime := strings.HasPrefix(f.Function, "runtime.")
		if panicked && !inRuntime || !more {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		panicked = panicked || inRuntime
	}
}
