package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// everyNode is what --node is for the bundles of all hosts.
	everyNode = "all"
	// bundledAtOnce bounds the hosts that are asked at the same time. Chosen: each is profiled, and holds a bundle in memory.
	bundledAtOnce = 4
)

// fillNodes adds a whole bundle of each other host of the cluster, nodes/HOST_UUID.tar.gz, or the reason why there is none.
func (a *app) fillNodes(ctx context.Context, hub *console.Client, cpu time.Duration, b *console.Bundle) error {
	list, err := hub.Members(ctx, console.Selection{})
	if err != nil {
		return b.Add("nodes", "GET /v1/cluster/members", nil, err)
	}
	others := make([]messages.Member, 0, len(list.Items))
	for _, m := range list.Items {
		if m.HostUUID != list.Self && messages.ValidHostUUID(m.HostUUID) {
			others = append(others, m)
		}
	}
	made, faults := make([][]byte, len(others)), make([]error, len(others))
	var all sync.WaitGroup
	slots := make(chan struct{}, bundledAtOnce)
	for i, m := range others {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			made[i], faults[i] = nodeBundle(ctx, hub.Of(m.HostUUID), m, cpu)
		})
	}
	all.Wait()
	for i, m := range others {
		if faults[i] != nil {
			a.warn(fmt.Sprintf("%s is not in the bundle: %v", m.Name, faults[i]))
		}
		if err := b.Add("nodes/"+m.HostUUID+".tar.gz", "debug bundle --node "+m.Name, made[i], faults[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// nodeBundle is the bundle of one host. One that does not answer is asked nothing more.
func nodeBundle(ctx context.Context, there *console.Client, m messages.Member, cpu time.Duration) ([]byte, error) {
	if m.Status != messages.MemberUp && m.Status != messages.MemberSuspect {
		return nil, errors.New("it is " + string(m.Status))
	}
	if _, err := there.Status(ctx); err != nil {
		return nil, err
	}
	var raw bytes.Buffer
	b := console.NewBundle(&raw, time.Now(), version)
	if err := b.Fill(ctx, cpu, downloading(there, cpu)); err != nil {
		return nil, err
	}
	err := b.Close()
	return raw.Bytes(), err
}

// downloading asks that client for what a bundle needs.
func downloading(client *console.Client, cpu time.Duration) console.Get {
	return func(ctx context.Context, path string) ([]byte, error) {
		var raw bytes.Buffer
		_, err := client.Download(ctx, path, cpu, &raw)
		return raw.Bytes(), err
	}
}
