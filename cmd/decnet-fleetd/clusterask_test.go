package main

import (
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestTheHubsOwnCertificateIsInItsRowAndInNoOther(t *testing.T) {
	ends := messages.Moment{Time: time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)}
	all := []messages.Member{{HostUUID: "local", Role: "hub"}, {HostUUID: standInWorker, Role: "worker"}}
	got := certOf(all, "local", ends)
	if got[0].CertExpires != ends || !got[1].CertExpires.IsZero() {
		t.Errorf("the rows end at %v and %v, want %v and never", got[0].CertExpires, got[1].CertExpires, ends)
	}
	if !all[0].CertExpires.IsZero() {
		t.Error("the actor's own answer was changed")
	}
}
