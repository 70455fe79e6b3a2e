package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/client"

	"github.com/decnet/decnet-fleetd/adapters/database"
	"github.com/decnet/decnet-fleetd/adapters/statefile"
	"github.com/decnet/decnet-fleetd/messages"
)

func checkWarnings(_ context.Context, p patient) []finding {
	if len(p.settings.Warnings) == 0 {
		return []finding{ok("configuration", "in order")}
	}
	var all []finding
	for _, w := range p.settings.Warnings {
		all = append(all, warn("configuration", w, "decnet-fleetd config show --origin says where each value comes from"))
	}
	return all
}

func checkStateFile(_ context.Context, p patient) []finding {
	const name = "state file"
	r, err := statefile.NewReader(statefile.Config{Path: p.settings.StateFile, Now: time.Now, AllowedOwners: decnetUID()})
	if err != nil {
		return []finding{fail(name, err.Error(), "name the file with --state-file")}
	}
	read := r.Read()
	var all []finding
	switch read.Status {
	case messages.FileValid:
		all = append(all, ok(name, fmt.Sprintf("%s declares %d deckies", p.settings.StateFile, len(read.Entries))))
	case messages.FileMissing:
		all = append(all, warn(name, p.settings.StateFile+" is not there: nothing is declared", "deploy a fleet, or name the file with --state-file"))
	case messages.FileInvalid, messages.FileUnreachable:
		all = append(all, fail(name, read.Fault.Where+": "+read.Fault.What, read.Fault.Remedy))
	}
	for _, e := range read.Rejected {
		all = append(all, fail(name, e.Fault.Where+": "+e.Fault.What, e.Fault.Remedy))
	}
	for _, f := range read.Warnings {
		all = append(all, warn(name, f.Where+": "+f.What, f.Remedy))
	}
	return all
}

// rootLike is said of an engine that can be used: whoever can is root on the host, whatever the unit forbids.
const rootLike = "whoever may use it is root on this host; a read-only proxy and --docker-host would do"

func checkDocker(ctx context.Context, p patient) []finding {
	const name = "docker"
	api, err := client.NewClientWithOpts(client.WithHost(p.settings.DockerHost), client.WithTLSClientConfigFromEnv(), client.WithAPIVersionNegotiation())
	if err != nil {
		return []finding{fail(name, err.Error(), "name the engine with --docker-host")}
	}
	defer func() { _ = api.Close() }() // it was only asked
	v, err := api.ServerVersion(ctx)
	switch path := strings.TrimPrefix(p.settings.DockerHost, "unix://"); {
	case err == nil:
		return []finding{ok(name, fmt.Sprintf("version %s, API %s at %s; %s", v.Version, v.APIVersion, p.settings.DockerHost, rootLike))}
	case path != p.settings.DockerHost && denied(path):
		return []finding{fail(name, "no permission to use "+path, "put the daemon's user into the socket's group: usermod -aG docker decnet")}
	}
	return []finding{fail(name, p.settings.DockerHost+": "+err.Error(), "start the engine (systemctl start docker), or name another with --docker-host")}
}

// denied says whether a socket is there and not for us.
func denied(path string) bool {
	return exists(path) && !usable(path)
}

func checkDatabase(ctx context.Context, p patient) []finding {
	const name = "database"
	db, err := openDatabase(p.settings, parts{hostUUID: p.settings.HostUUID})
	if err != nil {
		return []finding{fail(name, err.Error(), "correct --database")}
	}
	defer func() { _ = db.Close() }() // it was only asked
	err = db.Check(ctx)
	var e *database.Error
	switch {
	case err == nil:
		return soundDatabase(ctx, db)
	case errors.As(err, &e) && len(e.SQL) > 0:
		return []finding{fail(name, e.Detail(), e.Remedy+"; `decnet-fleetd db init` prints them")}
	case errors.As(err, &e):
		return []finding{fail(name, e.Detail(), e.Remedy)}
	}
	return []finding{fail(name, err.Error(), "see that the database runs and can be reached")}
}

// skewed is how far two clocks may be apart before somebody should look. Chosen: what NTP keeps is a hundredth of it, and
// what DECNET's own times are rounded to on MySQL is half of it.
const skewed = 2 * time.Second

// soundDatabase is what there is to say about a database that works.
func soundDatabase(ctx context.Context, db *database.DB) []finding {
	const name = "database"
	var all []finding
	if db.PlainText() {
		all = append(all, warn(name, db.Where()+" is reached without encryption", "add sslmode=verify-full to the URL"))
	}
	narrow, err := db.Narrow(ctx)
	if narrow != "" {
		all = append(all, warn(name, db.Where()+": "+narrow+": a decky whose name or configuration has other signs cannot be written",
			"convert table fleet_deckies to utf8mb4, or a PostgreSQL database to UTF8"))
	}
	apart, err2 := db.Skew(ctx)
	if apart.Abs() > skewed {
		all = append(all, warn(name, fmt.Sprintf("the clock of %s is %s %s this host's; leases do not depend on it, times that others write do",
			db.Where(), apart.Abs().Round(time.Second), aheadOr(apart > 0)), "synchronize both with NTP"))
	}
	if err = errors.Join(err, err2); err != nil {
		all = append(all, warn(name, err.Error(), "see that the database can be reached"))
	}
	if len(all) == 0 {
		all = append(all, ok(name, db.Where()+" has all tables, and may be written to"))
	}
	return all
}

func aheadOr(ahead bool) string {
	if ahead {
		return "ahead of"
	}
	return "behind"
}

func checkStateDir(_ context.Context, p patient) []finding {
	const name = "state directory"
	dir := p.settings.StateDir
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if above := existing(dir); !writable(above) {
			return []finding{fail(name, dir+" is not there, and "+above+" may not be written to", "make it for the daemon's user, or name another with --state-dir")}
		}
		return []finding{ok(name, dir+" will be made")}
	case err != nil:
		return []finding{fail(name, err.Error(), "name another with --state-dir")}
	case !info.IsDir():
		return []finding{fail(name, dir+" is no directory", "remove it, or name another with --state-dir")}
	case !writable(dir):
		return []finding{fail(name, dir+" may not be written to", "chown it to the daemon's user, or name another with --state-dir")}
	case info.Mode().Perm()&0o002 != 0:
		return []finding{fail(name, dir+" may be written to by everybody", "chmod o-w "+dir)}
	}
	return []finding{ok(name, dir+" may be written to")}
}

// existing is the nearest directory above a path that is there.
func existing(path string) string {
	for !exists(path) && path != "/" {
		path = filepath.Dir(path)
	}
	return path
}

// rivals are command lines of DECNET that reconcile too. Source: DECNET's own reconciler, and the batch it lives in.
var rivals = [][]string{{"reconcile"}, {"supervise", "batch"}}

// checkRival looks for a process, and asks the daemon what it heard on the bus.
func checkRival(_ context.Context, p patient) []finding {
	const name = "second reconciler"
	const fix = "retire it with --takeover, or stop decnet-supervise-batch"
	var all []finding
	if line := findRival(); line != "" {
		all = append(all, warn(name, "DECNET's own reconciler runs: "+line, fix))
	}
	for _, c := range p.status.Components {
		if c.Component == "reconciler" && c.State != "ok" {
			all = append(all, warn(name, c.Detail, fix))
		}
	}
	if len(all) == 0 {
		all = append(all, ok(name, "none is seen"))
	}
	return all
}

func findRival() string {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return ""
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			continue // it ended, or is not ours to see
		}
		args := strings.Split(strings.TrimRight(string(raw), "\x00"), "\x00")
		if reconciles(args) {
			return strings.Join(args, " ")
		}
	}
	return ""
}

// reconciles says whether a command line is DECNET's `decnet reconcile` or `decnet supervise batch`.
func reconciles(args []string) bool {
	at := slices.IndexFunc(args, func(s string) bool { return filepath.Base(s) == "decnet" })
	if at < 0 {
		return false
	}
	rest := args[at+1:]
	return slices.ContainsFunc(rivals, func(r []string) bool { return len(rest) >= len(r) && slices.Equal(rest[:len(r)], r) })
}
