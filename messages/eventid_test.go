package messages

import (
	"regexp"
	"testing"
	"time"
)

func TestEventIDsAreUuidsThatSortByTimeAndCannotBeGuessed(t *testing.T) {
	v7 := regexp.MustCompile(`^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$`)
	at := time.UnixMilli(0x0123456789ab)
	seen := map[string]bool{}
	for range 1000 {
		id := NewEventID(at)
		if !v7.MatchString(id) || id[:12] != "0123456789ab" {
			t.Fatalf("%s is no UUID of version 7 of that moment", id)
		}
		seen[id[12:]] = true
	}
	if len(seen) != 1000 {
		t.Errorf("of 1000 of one moment %d differ", len(seen))
	}
	if before, after := NewEventID(at), NewEventID(at.Add(time.Millisecond)); before >= after {
		t.Errorf("%s is not before %s", before, after)
	}
	if long := time.Unix(-1, 0); !v7.MatchString(NewEventID(long)) {
		t.Error("a clock before 1970 breaks it")
	}
}
