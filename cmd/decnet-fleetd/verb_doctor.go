package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
)

// finding is the result of one check.
type finding struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warn, fail
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

func ok(check, detail string) finding        { return finding{check, "ok", detail, ""} }
func warn(check, detail, fix string) finding { return finding{check, "warn", oneLine(detail), fix} }
func fail(check, detail, fix string) finding { return finding{check, "fail", oneLine(detail), fix} }

// patient is what the doctor looks at.
type patient struct {
	settings config.Settings
	status   console.StatusReply
	unheard  error // why there is no status
}

// examine is one check; it may find several things.
type examine func(ctx context.Context, p patient) []finding

var examinations = []examine{
	checkWarnings, checkStateFile, checkDocker, checkDatabase, checkBus, checkStateDir, checkControl, checkRemote, checkDaemon, checkRival, checkSystemd,
}

// examineWithin bounds each check. Chosen: the adapters' own deadlines are 5 s.
const examineWithin = 6 * time.Second

func (a *app) doctorVerb() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps the daemon from working",
		Long: "Look at everything the daemon needs, as this user and with these settings: run it as the user of the daemon. Each line is ok, warn or\n" +
			"fail, with what to do. It changes nothing. With --check the exit code is 6 where something fails.",
		Example:     "  sudo -u decnet decnet-fleetd doctor\n  decnet-fleetd doctor --check --json",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			s, _, err := config.Load(a.machine(false))
			if err != nil {
				return err
			}
			found := a.examineAll(c.Context(), s)
			if c.Context().Err() != nil {
				return c.Context().Err()
			}
			if err := a.show(doctorListing(found)); err != nil {
				return err
			}
			for _, f := range found {
				if check && f.Result == "fail" {
					return findings()
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "exit 6 where something fails")
	return c
}

func (a *app) examineAll(ctx context.Context, s config.Settings) []finding {
	client := console.NewClient(s.ControlSocket, examineWithin)
	defer client.Close()
	p := patient{settings: s}
	p.status, p.unheard = client.Status(ctx)
	var all []finding
	for _, look := range examinations {
		limited, cancel := context.WithTimeout(ctx, examineWithin)
		all = append(all, look(limited, p)...)
		cancel()
	}
	return all
}

func doctorListing(found []finding) listing {
	l := listing{head: []string{"CHECK", "RESULT", "DETAIL", "FIX"}, items: []any{}}
	for _, f := range found {
		l.rows = append(l.rows, []string{f.Check, f.Result, f.Detail, f.Fix})
		l.names, l.items = append(l.names, f.Check), append(l.items, f)
	}
	l.enclose("doctor")
	return l
}
