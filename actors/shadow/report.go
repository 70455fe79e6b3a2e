package shadow

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// kept is how many findings are kept; all are counted. Chosen: an hour of a busy fleet, some 250 KiB.
const kept = 1024

// ledger is everything the report is made of. The zero value is empty.
type ledger struct {
	agreed, differs, missed int64
	led                     int64
	earlier, most           float64 // seconds: sum and maximum over those we led
	codes                   map[string]int64
	ring                    []messages.ShadowItem // oldest first
	dropped                 int64
}

// enter counts a finding and keeps it.
func (l *ledger) enter(f finding) {
	if l.codes == nil {
		l.codes = map[string]int64{}
	}
	if f.late != "" { // it is not missed after all
		l.missed--
		l.codes[f.late]--
	}
	switch f.item.Outcome {
	case messages.ShadowAgreed:
		l.agreed++
		if !f.item.DecidedAt.IsZero() {
			l.led++
			l.earlier += f.item.EarlierSeconds
			l.most = max(l.most, f.item.EarlierSeconds)
		}
	case messages.ShadowDiffers:
		l.differs++
	case messages.ShadowMissed:
		l.missed++
	}
	if f.item.Code != "" {
		l.codes[f.item.Code]++
	}
	if l.ring = append(l.ring, f.item); len(l.ring) > kept {
		l.ring = slices.Delete(l.ring, 0, len(l.ring)-kept)
		l.dropped++
	}
}

func (l *ledger) mean() float64 {
	if l.led == 0 {
		return 0
	}
	return l.earlier / float64(l.led)
}

// line is what the status shows.
func (l *ledger) line(open int) string {
	return fmt.Sprintf("writes nothing; agreed %d (%.1f s earlier on average), differs %d, missed %d, open %d",
		l.agreed, l.mean(), l.differs, l.missed, open)
}

func (l *ledger) report(since time.Time, open []messages.ShadowItem, p Policy) messages.ShadowReport {
	codes := maps.Clone(l.codes)
	maps.DeleteFunc(codes, func(_ string, n int64) bool { return n == 0 })
	items := slices.Clone(l.ring)
	slices.Reverse(items)
	return messages.ShadowReport{Since: messages.Moment{Time: since}, WindowSeconds: p.Window.Seconds(), Open: int64(len(open)),
		Agreed: l.agreed, Differs: l.differs, Missed: l.missed, Codes: codes, Led: l.led, EarlierMean: l.mean(), EarlierMax: l.most,
		Items: append(items, open...), Dropped: l.dropped}
}
