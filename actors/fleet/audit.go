package fleet

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// auditEvery has the next audit come after that time, and every later one after the last.
func (f *Fleet) auditEvery(c *supervise.Ctx, every time.Duration) {
	if f.unaudit != nil {
		f.unaudit()
	}
	f.cfg.Audit = every
	f.unaudit = c.After(every, messages.Tick{Name: "audit"})
}
