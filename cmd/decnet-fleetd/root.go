package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Which of the settings a verb heeds; the others are accepted everywhere but not shown in its help.
const (
	heeds       = "settings"
	heedsAll    = "all"
	heedsClient = "client"
)

// root builds the command line.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "decnet-fleetd",
		Short: "Keep a DECNET fleet's table true to its containers",
		Long: "decnet-fleetd watches what a DECNET fleet was declared to be (decnet-state.json) and what Docker really runs, keeps the table\n" +
			"fleet_deckies true to both, and announces every change on the DECNET bus. `serve` is the daemon; the other verbs ask it, or look\n" +
			"at its surroundings.\n\n" +
			"Every setting can be a flag, a FLEETD_* variable, a systemd credential, a DECNET_* variable, or stand in DECNET's decnet.ini or\n" +
			".env.local; that is also the order in which they count. `config show --origin` says which one won.\n\n" +
			"Exit codes: 0 done; 1 failed; 2 wrong command line; 3 no daemon answers; 4 no permission; 5 not found; 6 done, with findings (only\n" +
			"with --check or --detailed-exitcode); 7 timed out; 8 refused; 70 gave up after too many crashes; 78 bad configuration;\n" +
			"130 interrupted.",
		Example:       "  decnet-fleetd demo\n  decnet-fleetd serve\n  decnet-fleetd reconcile --once --dry-run\n  decnet-fleetd deckies --json | jq '.items[].state'",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			a.began = true
			if a.node != "" && c.Annotations[heeds] != heedsClient {
				return usage(errors.New(c.CommandPath()+" asks no daemon: --node has no meaning for it"), "run it on the host itself")
			}
			return a.checkOutput()
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetUsageFunc(a.usage)
	root.SetHelpCommand(helpVerb())
	a.addGlobal(root.PersistentFlags())
	_ = root.RegisterFlagCompletionFunc("node", a.completingNode) // it exists: addGlobal has just made it
	a.addSettings(root.PersistentFlags())
	root.AddCommand(a.serveVerb(), a.reconcileVerb(), a.statusVerb(), a.deckiesVerb(), a.eventsVerb(), a.doctorVerb(), a.configVerb(),
		a.consoleVerb(), a.approveVerb(), a.reloadVerb(), a.shadowVerb(), a.dbVerb(), a.busVerb(), a.demoVerb(), a.versionVerb(), a.manVerb())
	a.addConsole(root)
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil && c.HasParent() {
		c.RunE = needsVerb
	}
	return root
}

func (a *app) addGlobal(f *pflag.FlagSet) {
	f.StringVarP(&a.output, "output", "o", "table", "format: "+strings.Join(formats, "|"))
	f.BoolVar(&a.json, "json", false, "same as --output json")
	f.BoolVar(&a.noColor, "no-color", false, "no colours, like NO_COLOR")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "no warnings")
	f.StringVar(&a.node, "node", "", "ask this host of the cluster, by name or uuid, through the hub")
	f.DurationVar(&a.timeout, "timeout", 10*time.Second, "how long to wait for an answer")
}

// usage prints flags in groups: those of the verb, the settings it heeds, and what all verbs have.
func (a *app) usage(c *cobra.Command) error {
	var b strings.Builder
	line := c.UseLine()
	if c.HasAvailableSubCommands() {
		line = c.CommandPath() + " VERB [flags]"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	if c.HasAvailableSubCommands() {
		b.WriteString("\nVerbs:\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, "  %-12s %s\n", sub.Name(), sub.Short)
			}
		}
	}
	own, settings, global := groups(c)
	for _, g := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"Flags", own}, {"Settings", settings}, {"For all verbs", global}} {
		if g.flags.HasAvailableFlags() {
			fmt.Fprintf(&b, "\n%s:\n%s", g.title, g.flags.FlagUsages())
		}
	}
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n`%s VERB --help` tells more about a verb.\n", c.CommandPath())
	}
	_, err := fmt.Fprint(c.OutOrStdout(), b.String())
	return err
}

func groups(c *cobra.Command) (own, settings, global *pflag.FlagSet) {
	own, settings, global = set(), set(), set()
	own.AddFlagSet(c.NonInheritedFlags())
	heeded := c.Annotations[heeds]
	known := map[string]bool{}
	for _, s := range settingFlags {
		known[s.name] = true
		if heeded == heedsAll || heeded == heedsClient && s.client || !c.HasParent() {
			settings.AddFlag(c.Root().PersistentFlags().Lookup(s.name))
		}
	}
	c.Root().PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !known[f.Name] {
			global.AddFlag(f)
		}
	})
	if !c.HasParent() {
		own = set()
	}
	return own, settings, global
}

func set() *pflag.FlagSet { return pflag.NewFlagSet("", pflag.ContinueOnError) }

// helpVerb replaces cobra's, which takes an unknown topic for a success.
func helpVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "help [verb]",
		Short: "Tell more about a verb",
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usage(fmt.Errorf("there is no verb %q", strings.Join(args, " ")), "decnet-fleetd --help lists the verbs")
			}
			return about.Help()
		},
	}
}

// parent is a verb that only groups others.
func parent(use, short, long string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.NoArgs, RunE: needsVerb}
	c.AddCommand(subs...)
	return c
}

func needsVerb(c *cobra.Command, _ []string) error {
	return usage(errors.New(c.CommandPath()+" needs one of its verbs"), c.CommandPath()+" --help lists them")
}

func heeding(what string) map[string]string { return map[string]string{heeds: what} }
