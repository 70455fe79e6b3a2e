package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// everyNode is what --node of a bundle says for all hosts of the cluster.
const everyNode = "all"

// Bounds of bundles of other hosts. Chosen: so many are in memory at once, and a host reads its documents well within the wait.
const (
	bundlesAtOnce = 4
	bundleWait    = 60 * time.Second
)

// ofHost is one host in a bundle of all, as hosts.json has it.
type ofHost struct {
	Name     string                `json:"name"`
	HostUUID string                `json:"host_uuid"`
	Status   messages.MemberStatus `json:"status"`
	File     string                `json:"file"`            // "" where there is none
	Error    string                `json:"error,omitempty"` // why there is none
	raw      []byte
}

// filling is how the bundle is made that --node asks for.
func (a *app) filling(client *console.Client, cpu time.Duration) func(context.Context, io.Writer) error {
	switch a.node {
	case "":
		return func(ctx context.Context, to io.Writer) error { return a.fill(ctx, client, cpu, to) }
	case everyNode:
		return func(ctx context.Context, to io.Writer) error { return a.fillAll(ctx, client.Of(""), cpu, to) }
	}
	return func(ctx context.Context, to io.Writer) error { return theirs(ctx, client, cpu, to) }
}

// theirs is the bundle another host makes of itself. Journal and unit are of this host, and so not in it.
func theirs(ctx context.Context, client *console.Client, cpu time.Duration, to io.Writer) error {
	_, err := client.Download(ctx, fmt.Sprintf("/v1/debug/bundle?seconds=%d", int(cpu.Seconds())), cpu+bundleWait, to)
	return err
}

// fillAll puts a bundle of every host into one. A host that has none to give is named with the reason.
func (a *app) fillAll(ctx context.Context, client *console.Client, cpu time.Duration, to io.Writer) error {
	list, err := client.Members(ctx, console.Selection{Filter: "!status=" + string(messages.MemberGone)})
	if err != nil {
		return err
	}
	b := console.NewBundle(to, time.Now(), version)
	hosts := hostFiles(list.Items)
	got := collect(hosts, func(h ofHost) ([]byte, error) {
		var raw bytes.Buffer
		if h.HostUUID == list.Self {
			err := a.fill(ctx, client, cpu, &raw)
			return raw.Bytes(), err
		}
		err := theirs(ctx, client.Of(h.HostUUID), cpu, &raw)
		return raw.Bytes(), err
	})
	var told []ofHost
	var failed error
	for range hosts { // also after a failure: nobody is left sending
		h := <-got
		failed = errors.Join(failed, a.addHost(b, &h))
		told = append(told, h)
	}
	if err := errors.Join(ctx.Err(), failed); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(told, "", "  ")
	if err := b.Add("hosts.json", "decnet-fleetd", append(raw, '\n'), err); err != nil {
		return err
	}
	return b.Close()
}

// addHost adds the bundle of one host, or why it has none.
func (a *app) addHost(b *console.Bundle, h *ofHost) error {
	var err error
	name := h.File
	if h.Error != "" {
		err, h.raw, h.File = errors.New(h.Error), nil, "" // half a bundle helps nobody
		a.warn("no bundle of " + h.Name + ": " + h.Error)
	}
	err = b.Add(name, "GET /v1/nodes/"+h.HostUUID+"/debug/bundle", h.raw, err)
	h.raw = nil
	return err
}

// collect asks a few hosts at a time; each is answered for once.
func collect(hosts []ofHost, ask func(ofHost) ([]byte, error)) <-chan ofHost {
	out, turn := make(chan ofHost), make(chan struct{}, bundlesAtOnce)
	for _, h := range hosts {
		go func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			raw, err := ask(h)
			h.raw = raw
			switch {
			case err != nil:
				h.Error = err.Error()
			case len(raw) > console.MaxBundled:
				h.Error = fmt.Sprintf("it has more than %d MiB: take it alone, with --node %s", console.MaxBundled>>20, h.HostUUID)
			}
			out <- h
		}()
	}
	return out
}

// fileSafe is a name that is a file's everywhere.
var fileSafe = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// hostFiles says where the bundle of each host is to be: under its name, or where two have that or it is no file's, its uuid.
func hostFiles(members []messages.Member) []ofHost {
	seen := map[string]int{}
	for _, m := range members {
		seen[strings.ToLower(m.Name)]++
	}
	out := make([]ofHost, len(members))
	for i, m := range members {
		name := m.Name
		if seen[strings.ToLower(name)] > 1 || !fileSafe.MatchString(name) {
			name = m.HostUUID
		}
		if !fileSafe.MatchString(name) {
			name = fmt.Sprintf("host-%d", i+1)
		}
		out[i] = ofHost{Name: m.Name, HostUUID: m.HostUUID, Status: m.Status, File: console.HostsDir + name + ".tar.gz"}
	}
	return out
}
