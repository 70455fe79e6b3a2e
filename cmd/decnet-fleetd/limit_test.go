package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func line(message, decky string) []byte {
	return fmt.Appendf(nil, `{"level":"info","decky":%q,"reason":"\",\"message\":\"forged","message":%q}`, decky, message)
}

func TestAMessageThatRepeatsIsCountedNotWritten(t *testing.T) {
	now := time.Unix(1000, 0)
	var told []string
	l := newLimiter(func() time.Time { return now }, func(of, decky string, n int) { told = append(told, fmt.Sprint(of, "/", decky, "/", n)) })
	said := 0
	for range 500 {
		if l.allows(zerolog.WarnLevel, line("flaps", "d1")) {
			said++
		}
	}
	if said != limitPerKey || !l.allows(zerolog.WarnLevel, line("flaps", "d2")) || !l.allows(zerolog.WarnLevel, line("other", "d1")) {
		t.Errorf("%d lines of one kind; others must not suffer", said)
	}
	if !l.allows(zerolog.DebugLevel, line("flaps", "d1")) {
		t.Error("what somebody asked for is suppressed")
	}
	if !l.allows(zerolog.WarnLevel, []byte(`{"component":"bus","message":"flaps"}`)) || !l.allows(zerolog.WarnLevel, []byte(`{"actor":"decky/d9","message":"flaps"}`)) {
		t.Error("components and actors count apart")
	}
	now = now.Add(limitWindow)
	if !l.allows(zerolog.WarnLevel, line("flaps", "d1")) {
		t.Error("suppressed in the next window too")
	}
	if len(told) != 1 || told[0] != "flaps/d1/490" {
		t.Errorf("told %q", told)
	}
}

func TestAFleetThatFlipsAtOnceIsBoundedToo(t *testing.T) {
	now := time.Unix(1000, 0)
	lost := 0
	l := newLimiter(func() time.Time { return now }, func(_, _ string, n int) { lost += n })
	said := 0
	for i := range 10000 {
		if l.allows(zerolog.InfoLevel, line(messageChanged, fmt.Sprint("decky-", i))) {
			said++
		}
	}
	if said > limitPerText || len(l.kinds) > limitKeys+1 {
		t.Errorf("%d lines, %d kinds remembered", said, len(l.kinds))
	}
	now = now.Add(limitWindow)
	l.sweep()
	if said+lost != 10000 {
		t.Errorf("%d lines written and %d counted, of 10000", said, lost)
	}
}
