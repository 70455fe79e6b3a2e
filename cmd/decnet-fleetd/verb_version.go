package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set by the linker, see the Makefile.
var (
	version = "dev"
	commit  = ""
)

func (a *app) versionVerb() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which version this is",
		Long:    "Say version, commit and the Go it was built with.",
		Example: "  decnet-fleetd version\n  decnet-fleetd version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			at := cmp.Or(commit, builtFrom())
			return a.show(listing{
				head:  []string{"VERSION", "COMMIT", "GO", "PLATFORM"},
				rows:  [][]string{{version, at, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}},
				names: []string{version},
				doc: map[string]string{
					"api": "v1", "kind": "version", "version": version, "commit": at, "go": runtime.Version(),
					"platform": runtime.GOOS + "/" + runtime.GOARCH,
				},
			})
		},
	}
}

// builtFrom is the commit that go build wrote down.
func builtFrom() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}
