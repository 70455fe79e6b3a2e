package dockersim

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// controlPath is where a benchmark or a demo in another process steers the simulation; no engine has it. It works
// whatever the faults are.
const controlPath = "/_sim/"

// controls are POST /_sim/faults with the JSON of Faults, /_sim/cut, /_sim/flip?n=1000 (so many containers at once,
// the oldest first) and /_sim/storm?rate=5000&seconds=60&of=400 (among the oldest 400 containers; answers at the end), and
// GET /_sim/stats.
func (e *Engine) controls(mux *http.ServeMux) {
	mux.HandleFunc("POST "+controlPath+"faults", func(w http.ResponseWriter, r *http.Request) {
		var f Faults
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&f); err != nil {
			fail(w, refuse(http.StatusBadRequest, "decode faults: %v", err))
			return
		}
		e.SetFaults(f)
		done(w, nil)
	})
	mux.HandleFunc("POST "+controlPath+"cut", func(w http.ResponseWriter, _ *http.Request) {
		e.CutStreams()
		done(w, nil)
	})
	mux.HandleFunc("POST "+controlPath+"flip", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("n"))
		if err != nil || n < 0 {
			fail(w, refuse(http.StatusBadRequest, "n must be a number of containers"))
			return
		}
		answer(w, http.StatusOK, map[string]int{"flipped": e.FlipMany(n)})
	})
	mux.HandleFunc("POST "+controlPath+"storm", e.storm)
	mux.HandleFunc("GET "+controlPath+"stats", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, e.Stats())
	})
}

func (e *Engine) storm(w http.ResponseWriter, r *http.Request) {
	rate, err1 := strconv.Atoi(r.URL.Query().Get("rate"))
	seconds, err2 := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
	of, err3 := 0, error(nil)
	if r.URL.Query().Has("of") {
		of, err3 = strconv.Atoi(r.URL.Query().Get("of"))
	}
	if err1 != nil || err2 != nil || err3 != nil || rate < 1 || seconds <= 0 || of < 0 {
		fail(w, refuse(http.StatusBadRequest, "rate and seconds must be positive numbers, of a number of containers"))
		return
	}
	ctx, stop := context.WithTimeout(r.Context(), time.Duration(seconds*float64(time.Second)))
	defer stop()
	answer(w, http.StatusOK, map[string]int{"events": e.StormOn(ctx, rate, of)})
}

// FlipMany flips the first service container of each of the n oldest deckies, as one step, and answers how many
// there were.
func (e *Engine) FlipMany(n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	flipped, decky := 0, ""
	for _, s := range e.order {
		d := s.rec.labels["decnet.fleet.decky"]
		if d == "" || d == decky {
			continue
		}
		if flipped == n {
			break
		}
		decky = d
		e.flip(s, e.cfg.Now())
		flipped++
	}
	return flipped
}
