package store

import "time"

// oldest is the age of the oldest statement the database has not answered; 0 if none is open. The watchdog asks: a
// statement that waits for a lock is patience, one that outlives its own deadline by far is a connection that hangs.
func (s *Store) oldest(now time.Time) time.Duration {
	var age time.Duration
	for _, since := range s.open {
		age = max(age, now.Sub(since))
	}
	return age
}
