package store

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestAStoreThatWaitsTellsTheAgeOfItsStatement(t *testing.T) {
	stage(t, &base{slow: 8 * time.Second}, func(s *scene) {
		age := func() time.Duration {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second) // not the test's: it ends with the bubble
			defer cancel()
			a, err := s.store.Ask(ctx, messages.GetStatementAge{})
			m, ok := a.(messages.StatementAge)
			if err != nil || !ok || m.Deadline != 10*time.Second {
				t.Fatalf("answer %#v, %v", a, err)
			}
			return m.Age
		}
		synctest.Wait()
		if got := age(); got != 0 {
			t.Errorf("nothing is open, but %s old", got)
		}
		s.store.Tell(change("d1", messages.Failed, 1))
		time.Sleep(7 * time.Second)
		if got := age(); got != 7*time.Second {
			t.Errorf("%s old, not 7s", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := age(); got != 0 {
			t.Errorf("answered, but %s old", got)
		}
	})
}
