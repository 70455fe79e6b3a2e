package database

import (
	"context"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// TestASleepersTransactionIsEndedByTheServer: a process that was stopped, or whose network is gone, between two statements
// says nothing and hangs up on nobody. Its rows, DECNET's among them, must not wait for it.
func TestASleepersTransactionIsEndedByTheServer(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s, brief)
		w.one(w.insert("d", messages.Running))
		asleep, wake := make(chan struct{}), make(chan struct{})
		woken := make(chan error, 1)
		go func() {
			_, err := w.db.durably(t.Context(), "write rows", func(ctx context.Context, a *attempt) error {
				err := a.fence(ctx, w.token)
				if err == nil {
					_, err = a.exec(ctx, "UPDATE fleet_deckies SET state = 'failed' WHERE host_uuid = 'local' AND name = 'd'")
				}
				close(asleep)
				<-wake
				return err
			})
			woken <- err
		}()
		<-asleep
		began := time.Now()
		ctx := soon(t, txLimit*1500*time.Millisecond) // when the process, if it were awake, would end it itself
		for _, query := range []string{"UPDATE fleet_deckies SET state = 'degraded' WHERE name = 'd'", "UPDATE fleetd_lease SET beat = beat + 1"} {
			if _, err := w.other.ExecContext(ctx, query); err != nil {
				t.Errorf("%s waits for a sleeper: %v after %s", query, err, time.Since(began))
			}
		}
		close(wake)
		if err := <-woken; err == nil || !Retryable(err) {
			t.Errorf("the sleeper wakes to %v", err)
		}
		replies, _ := w.until(w.update("d", "degraded", messages.Failed))
		if replies[0].Outcome != messages.Committed {
			t.Errorf("%+v", replies)
		}
	})
}

// TestAConnectionThatRestedIsReplacedUnseen: MySQL's limit is for every connection. That one goes costs nobody an error.
func TestAConnectionThatRestedIsReplacedUnseen(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		if s.name != onMySQL.name {
			return
		}
		w := newWorld(t, s, brief)
		w.one(w.insert("d", messages.Running))
		if _, err := w.db.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(patience); w.count("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND user = 'decnet'") > 0; {
			if time.Now().After(deadline) {
				t.Fatal("no connection was closed: this tests nothing")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err := w.db.Beat(t.Context(), w.token); err != nil {
			t.Error(err)
		}
		if _, err := w.db.Look(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
