package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/actors/decky"
	"github.com/decnet/decnet-fleetd/adapters/console"
)

// replayed is one decky of a bundle, decided again.
type replayed struct {
	Name   string         `json:"name"`
	State  string         `json:"state"`  // of its row, then
	Reason string         `json:"reason"` // then
	Result string         `json:"result"` // same, differs, untold
	Again  decky.Replayed `json:"again"`
}

func (a *app) replayVerb() *cobra.Command {
	var check, all bool
	c := &cobra.Command{
		Use:   "replay file",
		Short: "Decide again what the deckies of a bundle decided",
		Long: "Read a bundle, and let this program decide from what every decky in it knew then: file, row and containers. It asks nobody and changes\n" +
			"nothing. Shown are those whose conclusion differs from the one in the bundle; with --all the others too. Holds that rest on a time or\n" +
			"on what DECNET was doing are not in a bundle: there the result is untold, and only the state of the containers is compared. The bundle's\n" +
			"checksums are verified first. With --check the exit code is 6 where something differs.",
		Example: "  decnet-fleetd debug replay decnet-fleetd-20260102T030405Z.tar.gz\n  decnet-fleetd debug replay b.tar.gz --all --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			found, differs, err := replay(args[0], all)
			if err != nil {
				return err
			}
			if err := a.show(found); err != nil {
				return err
			}
			if check && differs {
				return findings()
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "exit 6 where something differs")
	c.Flags().BoolVar(&all, "all", false, "show those that agree, too")
	return c
}

// replay decides for all deckies of a bundle.
func replay(path string, all bool) (l listing, differs bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return l, false, fmt.Errorf("read the bundle: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, made, err := console.ReadBundle(f, "deckies.json")
	if err != nil {
		return l, false, fmt.Errorf("read the bundle %s: %w", path, err)
	}
	var list console.DeckyList
	if err := json.Unmarshal(raw, &list); err != nil {
		return l, false, fmt.Errorf("read the bundle %s: deckies.json: %w", path, err)
	}
	if list.Kind != "deckies" {
		return l, false, errors.New("deckies.json of the bundle is no list of deckies")
	}
	l, differs = replayListing(list, made, all)
	return l, differs, nil
}

func replayListing(list console.DeckyList, made time.Time, all bool) (l listing, differs bool) {
	l = listing{head: []string{"NAME", "STATE", "REASON THEN", "RESULT", "CONTAINERS", "REASON NOW", "WOULD"}, items: []any{}}
	counts := map[string]int{}
	for _, d := range list.Items {
		x := replayed{Name: d.Name, State: d.State, Reason: d.Reason, Again: decky.Replay(d, made), Result: "same"}
		switch {
		case !x.Again.Same:
			x.Result = "differs"
		case x.Again.Untold:
			x.Result = "untold"
		}
		if counts[x.Result]++; x.Result == "differs" || all {
			l.rows = append(l.rows, []string{x.Name, orDash(x.State), orDash(x.Reason), x.Result, orDash(x.Again.State), x.Again.Reason, orDash(x.Again.Action)})
			l.names, l.items = append(l.names, x.Name), append(l.items, x)
		}
	}
	l.after = []string{"", fmt.Sprintf("%d deckies of %s: %d the same, %d untold, %d differ", len(list.Items), made.UTC().Format(time.RFC3339),
		counts["same"], counts["untold"], counts["differs"])}
	l.enclose("replay")
	return l, counts["differs"] > 0
}
