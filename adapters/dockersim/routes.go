package dockersim

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
)

// list answers GET /containers/json with the filters id, name, label and status.
func (e *Engine) list(w http.ResponseWriter, r *http.Request) {
	want, err := filters.FromJSON(r.URL.Query().Get("filters"))
	if err != nil {
		fail(w, refuse(http.StatusBadRequest, "%v", err))
		return
	}
	if want.Contains("id") {
		e.stats.looks.Add(1)
	} else {
		e.stats.lists.Add(1)
	}
	if !e.hang(r.Context(), func(f Faults) bool { return f.HangLists }) {
		return
	}
	f, _ := e.broken()
	if !pause(r, f.Slow) {
		return
	}
	if f.Status != 0 {
		fail(w, refuse(f.Status, "simulated failure"))
		return
	}
	all, _ := strconv.ParseBool(r.URL.Query().Get("all")) // anything else is false, as in dockerd
	e.writeList(w, e.matching(want, all), f)
}

// pause delays an answer. False: the client went away.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.Context().Done():
		return false
	case <-t.C:
		return true
	}
}

// matching selects containers. A list of ids never looks at the others, as in dockerd.
func (e *Engine) matching(want filters.Args, all bool) []*record {
	var list []*record
	if ids := want.Get("id"); len(ids) > 0 {
		e.mu.RLock()
		for _, id := range ids {
			if s, err := e.find(id); err == nil && !slices.Contains(list, s.rec) {
				list = append(list, s.rec)
			}
		}
		e.mu.RUnlock()
	} else {
		list = e.snapshot()
	}
	if all && want.Len() == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(r *record) bool {
		shown := all || r.up() || want.Contains("status")
		named := want.Match("name", r.name) || want.Match("name", "/"+r.name)
		return !shown || !named || !want.ExactMatch("status", r.state) || !want.MatchKVList("label", r.labels)
	})
}

// writeList sends a list, broken as f says.
func (e *Engine) writeList(w http.ResponseWriter, list []*record, f Faults) {
	w.Header().Set("Content-Type", "application/json")
	if f.Body != "" {
		_, _ = io.WriteString(w, f.Body) // see answer
		return
	}
	now := e.cfg.Now()
	out := bufio.NewWriterSize(w, 64<<10) // a write of 4 KiB for every 3 containers would cost more than the list
	_ = out.WriteByte('[')                // errors stick to out: the client went away, nobody is left to tell
	for i, rec := range list {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		if f.Truncate && i >= len(list)/2 {
			half := rec.appendJSON(nil, now)
			_, _ = out.Write(half[:len(half)/2])
			_ = out.Flush()
			cut(w)
			return
		}
		if f.NullState {
			rec = rec.with(rec.state, 0, now)
			rec.word = "null"
		}
		_, _ = out.Write(rec.appendJSON(out.AvailableBuffer(), now))
	}
	_, _ = out.WriteString("]\n")
	_ = out.Flush()
}

// inspect answers with what DECNET's own reconciler reads.
func (e *Engine) inspect(w http.ResponseWriter, r *http.Request) {
	e.stats.inspects.Add(1)
	e.mu.RLock()
	s, err := e.find(r.PathValue("ref"))
	var rec *record
	if err == nil {
		rec = s.rec
	}
	e.mu.RUnlock()
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"Id": rec.id, "Name": "/" + rec.name, "Created": time.Unix(rec.created, 0).UTC().Format(time.RFC3339Nano),
		"State": map[string]any{
			"Status": rec.state, "Running": rec.up(), "Paused": rec.state == "paused",
			"Restarting": rec.state == "restarting", "Dead": rec.state == "dead", "ExitCode": rec.exit,
		},
		"Image": rec.image, "HostConfig": map[string]any{"NetworkMode": rec.network},
		"Config": map[string]any{"Image": rec.image, "Labels": rec.labels, "Tty": false},
	})
}

// commands are the requests that change something.
func (e *Engine) commands(mux *http.ServeMux) {
	for name, do := range map[string]func(ref string) error{
		"start": e.Start, "stop": e.Stop, "restart": e.Restart, "pause": e.Pause, "unpause": e.Unpause,
	} {
		mux.HandleFunc("POST /containers/{ref}/"+name, func(w http.ResponseWriter, r *http.Request) {
			done(w, do(r.PathValue("ref")))
		})
	}
	mux.HandleFunc("POST /containers/{ref}/kill", func(w http.ResponseWriter, r *http.Request) {
		done(w, e.Kill(r.PathValue("ref"))) // whatever the signal: the process has no handler for any
	})
	mux.HandleFunc("POST /containers/{ref}/rename", func(w http.ResponseWriter, r *http.Request) {
		done(w, e.Rename(r.PathValue("ref"), strings.TrimPrefix(r.URL.Query().Get("name"), "/")))
	})
	mux.HandleFunc("DELETE /containers/{ref}", func(w http.ResponseWriter, r *http.Request) {
		force, _ := strconv.ParseBool(r.URL.Query().Get("force")) // anything else is false, as in dockerd
		done(w, e.Remove(r.PathValue("ref"), force))
	})
	mux.HandleFunc("POST /containers/create", e.create)
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (e *Engine) create(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Image      string
		Labels     map[string]string
		Cmd        []string
		HostConfig struct{ NetworkMode string }
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&body); err != nil {
		fail(w, refuse(http.StatusBadRequest, "decode the container: %v", err))
		return
	}
	id, err := e.Create(Spec{
		Name: strings.TrimPrefix(r.URL.Query().Get("name"), "/"), Image: body.Image, Labels: body.Labels,
		Network: body.HostConfig.NetworkMode, Command: strings.Join(body.Cmd, " "),
	})
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]any{"Id": id, "Warnings": []string{}})
}
