package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manVerb() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "man",
		Short:   "Write the manual pages",
		Long:    "Write decnet-fleetd(8) to stdout, or with --dir all pages into a directory: decnet-fleetd.8, and a page of section 1 for each verb.",
		Example: "  decnet-fleetd man | man -l -\n  decnet-fleetd man --dir /usr/share/man",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dir == "" {
				page, err := manPage(c.Root())
				if err != nil {
					return err
				}
				return a.print(page)
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("make the directory of the manual pages: %w", err)
			}
			return writePages(c.Root(), dir)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write all pages into this directory")
	return c
}

// section: the daemon is an administrator's, its verbs are commands.
func section(c *cobra.Command) string {
	if c.HasParent() {
		return "1"
	}
	return "8"
}

func manPage(c *cobra.Command) ([]byte, error) {
	c.DisableAutoGenTag = true
	name := strings.ReplaceAll(c.CommandPath(), " ", "-")
	var b bytes.Buffer
	header := &doc.GenManHeader{Title: strings.ToUpper(name), Section: section(c), Source: "decnet-fleetd " + version, Manual: "DECNET"}
	if err := doc.GenMan(c, header, &b); err != nil {
		return nil, fmt.Errorf("write the page of %s: %w", name, err)
	}
	// The generator gives every page it refers to the section of this one.
	page := b.Bytes()
	for _, other := range append(c.Commands(), c.Parent()) {
		if other != nil {
			ref := `\fB` + strings.ReplaceAll(other.CommandPath(), " ", "-") + "("
			page = bytes.ReplaceAll(page, []byte(ref+section(c)+`)\fP`), []byte(ref+section(other)+`)\fP`))
		}
	}
	return page, nil
}

func writePages(c *cobra.Command, dir string) error {
	page, err := manPage(c)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+"."+section(c))
	if err := os.WriteFile(path, page, 0o644); err != nil {
		return fmt.Errorf("write manual page: %w", err)
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			if err := writePages(sub, dir); err != nil {
				return err
			}
		}
	}
	return nil
}
