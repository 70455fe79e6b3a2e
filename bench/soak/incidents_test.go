package main

import (
	"math"
	"testing"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
)

func TestTheStartOfALifeIsNoSlope(t *testing.T) {
	var all []report.Sample
	for i := range 120 { // two lives of 10 minutes: 2 minutes steep, then flat
		age := 10 * (i % 60)
		all = append(all, report.Sample{Second: 10 * i, Life: i / 60, RSS: int64(20000 + 50*min(age, 120))})
	}
	s := slopes(all, func(s report.Sample) float64 { return float64(s.RSS) })
	if math.Abs(s.SlopePerHour) > 1e-6 || s.First != 20000 || s.Last != 26000 || s.Max != 26000 {
		t.Errorf("series %+v", s)
	}
}
