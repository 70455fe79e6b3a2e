package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) approveVerb() *cobra.Command {
	var want console.ApproveRequest
	var yes bool
	c := &cobra.Command{
		Use:   "approve HASH",
		Short: "Let a held set of deletions go",
		Long: "Many rows that are to be deleted at once, while their containers are still there or Docker cannot be asked, are held. `status` shows the\n" +
			"set with its hash. Approving it deletes these rows, and only these, once the file has said the same three times over a minute. A set that\n" +
			"shrinks stays approved; one that grows has another hash and needs another approval. Containers are never touched.",
		Example:     "  decnet-fleetd status\n  decnet-fleetd approve 3f9c1b22a0d4\n  decnet-fleetd approve 3f9c1b22a0d4 --yes --reason 'rack 7 is being emptied'",
		Args:        cobra.ExactArgs(1),
		Annotations: heeding(heedsClient),
		RunE: func(c *cobra.Command, args []string) error {
			want.Hash = args[0]
			return a.approve(c.Context(), want, yes)
		},
	}
	c.Flags().BoolVar(&want.DryRun, "dry-run", false, "say what would be approved")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	c.Flags().StringVar(&want.Reason, "reason", "", "why, for the log")
	return c
}

func (a *app) approve(ctx context.Context, want console.ApproveRequest, yes bool) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	defer client.Close()
	look := want
	look.DryRun = true
	r, err := client.Approve(ctx, look)
	if err == nil {
		err = matching(r)
	}
	if err != nil || want.DryRun {
		return errors.Join(err, a.showApproval(r, err == nil, "would be "))
	}
	if !yes {
		if err := a.confirm(fmt.Sprintf("Delete the rows of %s?", some(r.Names))); err != nil {
			return err
		}
	}
	if r, err = client.Approve(ctx, want); err == nil {
		err = matching(r)
	}
	return errors.Join(err, a.showApproval(r, err == nil, ""))
}

// matching: the set may have changed since it was looked at.
func matching(r messages.ApproveReply) error {
	switch {
	case !r.Held:
		return &failure{exit: exitNotFound, code: exitWords[exitNotFound], err: errors.New("no deletions are held")}
	case !r.Accepted:
		return &failure{exit: exitNotFound, code: exitWords[exitNotFound], err: fmt.Errorf("the set that is held has another hash: %s, %s", r.Hash, some(r.Names)),
			hint: "look at it again with `decnet-fleetd status`, then approve that one"}
	}
	return nil
}

func (a *app) showApproval(r messages.ApproveReply, ok bool, mood string) error {
	if !ok {
		return nil
	}
	l := listing{head: []string{"NAME", "RESULT"}, doc: console.ApproveReply{Envelope: console.Envelope{API: console.API, Kind: "approve"}, ApproveReply: r}}
	result := mood + "approved: it goes when the file has said so " + fmt.Sprintf("%d times, not before %s", r.NeedReads, r.ReleaseAt.UTC().Format(time.RFC3339))
	if r.Released {
		result = mood + "released"
	}
	for _, n := range r.Names {
		l.rows, l.names, l.items = append(l.rows, []string{n, result}), append(l.names, n), append(l.items, map[string]string{"name": n, "result": result})
	}
	return a.show(l)
}

// confirm asks a person. A script has to say --yes.
func (a *app) confirm(question string) error {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return usage(errors.New("nobody is there to confirm: stdin is no terminal"), "give --yes")
	}
	_, _ = fmt.Fprintf(a.err, "%s [y/N] ", escapeUpTo(question, maxLine)) // without an answer nothing happens
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(answer), "y") {
		return &failure{exit: exitRefused, code: exitWords[exitRefused], err: errors.New("not confirmed, nothing was done")}
	}
	return nil
}

// some names a set: its size and the first three.
func some(names []string) string {
	if len(names) <= 3 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%d deckies (%s, …)", len(names), strings.Join(names[:3], ", "))
}
