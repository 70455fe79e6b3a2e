package decky

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

var (
	presences = []messages.Presence{messages.Unknown, messages.Absent, messages.Present}
	services  = []string{"ssh", "http", "smtp_relay", "sniffer"}
	statuses  = []string{"running", "exited", "paused", "created", "dead"}
	rowStates = []string{"pending", "running", "failed", "degraded", "torn_down", "weird", ""}
)

func anyDeclared(t *rapid.T) messages.DeclaredObserved {
	d := declared(rapid.SliceOfN(rapid.SampledFrom(services), 1, 4).Draw(t, "services")...)
	d.Presence = rapid.SampledFrom(presences).Draw(t, "declared")
	d.Entry.Digest = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "digest")
	if rapid.Bool().Draw(t, "deployed") {
		other := d.Entry
		other.Services = rapid.SliceOfN(rapid.SampledFrom(services), 1, 4).Draw(t, "deployed services")
		other.LastMutated = rapid.Float64Range(-1, 1).Draw(t, "mutated")
		d.Other = []messages.Declared{other}
	}
	return d
}

func anyRow(t *rapid.T) messages.RecordedObserved {
	r := row(rapid.SampledFrom(rowStates).Draw(t, "row"), rapid.SliceOfN(rapid.SampledFrom(services), 0, 3).Draw(t, "recorded services")...)
	r.Presence = rapid.SampledFrom(presences).Draw(t, "recorded")
	r.Row.HasConfig, r.Row.Digest = rapid.Bool().Draw(t, "has config"), "a"
	return r
}

func anyRuntime(t *rapid.T) messages.RuntimeObserved {
	m := messages.RuntimeObserved{Known: rapid.Bool().Draw(t, "docker"), Cause: "die"}
	for _, s := range rapid.SliceOfN(rapid.SampledFrom([]string{"ssh", "http", "smtp-relay"}), 0, 4).Draw(t, "seen") {
		m.Services = append(m.Services, messages.ServiceSeen{ID: s, Service: s, State: rapid.SampledFrom(statuses).Draw(t, "status")})
	}
	return m
}

func anyMessage(t *rapid.T) any {
	switch rapid.IntRange(0, 6).Draw(t, "message") {
	case 0:
		return anyDeclared(t)
	case 1:
		return anyRow(t)
	case 2:
		return anyRuntime(t)
	case 3:
		return messages.DeletePermitted{Granted: rapid.Bool().Draw(t, "granted")}
	case 4:
		return messages.RereadDone{At: noon.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "reread")) * time.Second)}
	}
	if rapid.IntRange(0, 3).Draw(t, "pause or hold") == 0 {
		return messages.PauseObserved{Paused: rapid.Bool().Draw(t, "paused"), Why: "paused by alice"}
	}
	return messages.HoldsObserved{Deploy: noon.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "deploy")) * time.Second)}
}

// anyStory folds up to 20 messages, with up to 3 s between them.
func anyStory(t *rapid.T) observations {
	o := observations{now: noon}
	for range rapid.IntRange(0, 20).Draw(t, "length") {
		o = fold(o, anyMessage(t))
		o.now = o.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "pause")) * time.Millisecond)
	}
	return o
}

func TestDecideKeepsItsPromisesWhateverIsHeard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyStory(t)
		v := decide(o, DefaultPolicy())
		if !reflect.DeepEqual(v, decide(o, DefaultPolicy())) {
			t.Fatal("same observations, another verdict")
		}
		d, r := o.declared.Presence, o.recorded.Presence
		if (d == messages.Unknown || r == messages.Unknown) && (v.want != nil || v.retire) {
			t.Fatalf("acts on unknown: %+v", v)
		}
		if o.pause != "" && v.want != nil {
			t.Fatalf("writes although it is paused: %+v", v)
		}
		if v.want == nil {
			return
		}
		switch v.want.Kind {
		case messages.InsertRow:
			if d != messages.Present || r != messages.Absent {
				t.Fatal("inserts what is there or not declared")
			}
			if !o.runtime.Known && v.want.State != messages.Pending {
				t.Fatalf("inserts %s unobserved", v.want.State)
			}
		case messages.DeleteRow:
			if d != messages.Absent || !o.permit.Granted || o.now.Before(o.intent.since.Add(2*time.Second)) || o.rereadAt.Before(o.intent.since) {
				t.Fatal("deletes without declared absence, permit, settle or reread")
			}
		case messages.UpdateRow:
			if v.want.Prev != o.recorded.Row.State {
				t.Fatal("expects another state than the row's")
			}
			if v.want.SetState && (!o.runtime.Known || o.now.Before(o.holds.Deploy)) {
				t.Fatal("changes the state unobserved or under a hold")
			}
		}
	})
}

// apply is what a store does with an order.
func apply(o observations, c messages.RowChange) messages.RowReply {
	reply := messages.RowReply{Seq: c.Seq, Kind: c.Kind, Outcome: messages.Committed, Presence: messages.Present, Row: o.recorded.Row, At: o.now}
	if c.Kind == messages.DeleteRow {
		reply.Presence = messages.Absent
		return reply
	}
	if c.Kind == messages.InsertRow || c.SetState {
		reply.Row.State = string(c.State)
	}
	if c.SetContent {
		reply.Row.Services, reply.Row.IP, reply.Row.Digest, reply.Row.HasConfig = c.Services, c.IP, c.Digest, true
	}
	if c.SetLastError {
		reply.Row.LastError = c.LastError
	}
	return reply
}

func TestDeckyGoesQuietWhenFedItsOwnActions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyStory(t)
		for range 10 { // rounds of 30 s: a mixture is held for four, and writes take rounds too
			v := decide(o, DefaultPolicy())
			if v.want != nil {
				o.flight = &flight{change: *v.want, flips: o.flips}
				o = fold(o, apply(o, *v.want))
				continue
			}
			if v.reread {
				o = fold(o, messages.RereadDone{At: o.now})
			}
			o.now = o.now.Add(30 * time.Second)
		}
		if v := decide(o, DefaultPolicy()); v.want != nil || v.busy && v.reason == ReasonSettling {
			t.Fatalf("never quiet: %+v", v)
		}
	})
}
