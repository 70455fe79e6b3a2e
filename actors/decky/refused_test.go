package decky

import (
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestWhatTheDatabaseRefusesIsHeldAndTriedAgain(t *testing.T) {
	o := story(declared("ssh"), unrecorded, runs("ssh", "running"))
	v := decide(o, DefaultPolicy())
	o.flight = &flight{change: *v.want}
	o = fold(o, messages.RowReply{Kind: messages.InsertRow, Outcome: messages.Unwritable, Why: "incorrect string value", At: o.now})
	v = decide(o, DefaultPolicy())
	if v.want != nil || v.held == nil || !strings.Contains(v.held.Why, "incorrect string value") || v.busy {
		t.Fatalf("%+v", v)
	}
	if o.recorded.Presence != messages.Absent {
		t.Errorf("a refusal says nothing about the row: %v", o.recorded.Presence)
	}
	o.now = o.now.Add(30 * time.Second)
	if v = decide(o, DefaultPolicy()); v.want == nil {
		t.Errorf("never tried again: %+v", v)
	}
}
