package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

// asking runs f with a client of the daemon.
func (a *app) asking(f func(ctx context.Context, client *console.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		client, err := a.client()
		if err != nil {
			return err
		}
		defer client.Close()
		return f(c.Context(), client, args)
	}
}

// picking are the flags of a list.
func picking(f *pflag.FlagSet, s *console.Selection) {
	f.StringVar(&s.Filter, "filter", "", `only what this selects, like 'state:degraded mailbox>10 !kind:decky'`)
	f.StringVar(&s.Sort, "sort", "", "sort by this key of the JSON, -key the other way round")
	f.IntVar(&s.Limit, "limit", 0, "at most this many")
}

// filterHelp explains filters where a verb takes one.
const filterHelp = "\n\nA filter is a row of terms, all of which must hold: a name or a part of it, with * or ? all of it; field:text, field=text (exactly),\n" +
	"field>number and the like; text,text for one of several; ! before a term for the contrary; \"quotes\" around what has spaces. Fields are\n" +
	"the keys of the JSON."

// span is a number of seconds in two digits of its largest unit that fits.
func span(seconds float64) string {
	if seconds <= 0 {
		return "-"
	}
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.0fus", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return ago(d)
}

// whoseDecky is the id of a decky: of a name, NAME@NODE, or {host}:{name}. On a hub it may be that of another host's.
func whoseDecky(ctx context.Context, client *console.Client, name string) (string, error) {
	of, err := deckyIDs(ctx, client, name, name)
	if at := strings.LastIndexByte(name, '@'); err == nil && len(of) == 0 && at > 0 {
		of, err = deckyIDs(ctx, client, name[:at], name)
	}
	if err != nil {
		return "", err
	}
	switch len(of) {
	case 0: // the daemon says that there is none
		st, err := client.Status(ctx)
		return st.HostUUID + ":" + name, err
	case 1:
		return of[0], nil
	}
	return "", &failure{exit: exitRefused, code: exitWords[exitRefused], err: fmt.Errorf("two hosts have a decky %q", name),
		hint: "say which: NAME@NODE, with a node of decnet-fleetd cluster members"}
}

// deckyIDs are those of the deckies called name, among those whose names have a part.
func deckyIDs(ctx context.Context, client *console.Client, part, name string) ([]string, error) {
	list, err := client.Deckies(ctx, part)
	if err != nil {
		return nil, err
	}
	var of []string
	for _, d := range list.Items {
		if id := d.HostUUID + ":" + d.Name; name == d.Name || name == id || d.Node != "" && name == d.Name+"@"+d.Node {
			of = append(of, id)
		}
	}
	return of, nil
}

// completingNode completes --node.
func (a *app) completingNode(c *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
	a.node = "" // the hub itself is asked
	return a.completing(func(ctx context.Context, client *console.Client, part string) []string {
		words := memberWords(ctx, client, part)
		if c.Annotations[everyNode] != "" && len(words) > 0 {
			words = append(words, everyNode)
		}
		return words
	}, 0)(c, args, part)
}

// completing gives the words a shell completes with; a shell has no place for an error.
func (a *app) completing(words func(ctx context.Context, client *console.Client, part string) []string, most int) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(c *cobra.Command, args []string, part string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		a.timeout = completeWithin
		client, err := a.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer client.Close()
		var out []string
		for _, w := range words(c.Context(), client, part) {
			if strings.HasPrefix(w, part) && escape(w) == w {
				out = append(out, w)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

func deckyWords(ctx context.Context, client *console.Client, part string) []string {
	list, err := client.Deckies(ctx, part)
	if err != nil {
		return nil
	}
	var out []string
	for _, d := range list.Items {
		out = append(out, d.Name)
	}
	return out
}

func actorWords(ctx context.Context, client *console.Client, part string) []string {
	list, err := client.Actors(ctx, console.Selection{Filter: console.Quoted(part)})
	if err != nil {
		return nil
	}
	var out []string
	for _, x := range list.Items {
		out = append(out, x.PID)
	}
	return out
}

func notFound(format, name, hint string) error {
	return &failure{exit: exitNotFound, code: exitWords[exitNotFound], err: fmt.Errorf(format, name), hint: hint}
}
