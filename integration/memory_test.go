package integration

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// burst is how many events come, and how far they may move the memory of the process.
const (
	burst      = 50_000
	burstRate  = 5_000 // a second
	burstMoves = 8 << 20
)

// TestABurstOfFiftyThousandEventsMovesTheMemoryByLessThan8MiB: of the product as it is shipped, without the race detector.
func TestABurstOfFiftyThousandEventsMovesTheMemoryByLessThan8MiB(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("d%03d", i))
	}
	s, sim := prepared(t, &onSQLite, names...)
	s.program = shipped(t)
	s.start()
	for _, name := range names {
		s.reaches(name, "running", soon)
		must(t, sim.Kill(name+"-ssh"))
	}
	for _, name := range names { // each has committed twice
		s.reaches(name, "failed", soon)
	}
	s.gap(calm)
	before := s.daemon.memory(t, "VmRSS")
	must(t, writeFile(fmt.Sprintf("/proc/%d/clear_refs", s.daemon.cmd.Process.Pid), "5")) // the peak is counted anew
	made, began := 0, time.Now()
	for made < burst && time.Since(began) < soon {
		second, end := context.WithTimeout(t.Context(), time.Second)
		made += sim.Storm(second, burstRate)
		end()
	}
	peak := s.daemon.memory(t, "VmHWM")
	for _, name := range names {
		_ = sim.Kill(name + "-ssh") // one that is dead stays so
		s.reaches(name, "failed", soon)
	}
	after := s.daemon.memory(t, "VmRSS")
	t.Logf("%d events in %v: RSS %d KiB before, %d at most, %d after", made, time.Since(began), before>>10, peak>>10, after>>10)
	if made < burst || peak-before > burstMoves {
		t.Errorf("%d events moved the memory by %d KiB", made, (peak-before)>>10)
	}
	s.consistent(names...)
}

// memory is a line of the process's status, in bytes.
func (p *process) memory(t *testing.T, key string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(text), key+":")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	must(t, err)
	return n << 10
}
