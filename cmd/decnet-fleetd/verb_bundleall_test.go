package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestEveryHostHasAFileOfItsOwnInABundleOfAll(t *testing.T) {
	got := hostFiles([]messages.Member{
		{Name: "fw-1", HostUUID: "u1"}, {Name: "FW-1", HostUUID: "u2"}, {Name: "../../etc/passwd", HostUUID: "u3"},
		{Name: "fw-4", HostUUID: "u4"}, {Name: "a/b", HostUUID: "c/d"}, {HostUUID: "u6"},
	})
	want := []string{"u1", "u2", "u3", "fw-4", "host-5", "u6"}
	for i, w := range want {
		if got[i].File != "hosts/"+w+".tar.gz" {
			t.Errorf("host %d is in %q, want hosts/%s.tar.gz", i, got[i].File, w)
		}
	}
}

func TestEveryHostIsAnsweredForOnceAndAFewAreAskedAtATime(t *testing.T) {
	hosts := make([]ofHost, 3*bundlesAtOnce)
	for i := range hosts {
		hosts[i].HostUUID = fmt.Sprint(i)
	}
	asked := make(chan struct{}, len(hosts))
	got := collect(hosts, func(h ofHost) ([]byte, error) {
		asked <- struct{}{}
		switch h.HostUUID {
		case "0":
			return nil, errors.New("it is stale")
		case "1":
			return make([]byte, console.MaxBundled+1), nil
		}
		return []byte("x"), nil
	})
	of, whole := map[string]string{}, 0
	for range hosts {
		h := <-got
		of[h.HostUUID] = h.Error
		if h.Error == "" && string(h.raw) == "x" {
			whole++
		}
	}
	if len(of) != len(hosts) || len(asked) != len(hosts) || whole != len(hosts)-2 {
		t.Errorf("%d hosts were answered for, %d asked, %d whole, want %d, as many and two fewer", len(of), len(asked), whole, len(hosts))
	}
	if of["0"] != "it is stale" || !strings.Contains(of["1"], "more than 64 MiB") {
		t.Errorf("the two without a bundle say %q and %q", of["0"], of["1"])
	}
}
