package web

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tapsPage is the form that opens a tap, and what one has shown.
type tapsPage struct {
	Want    TapWanted `json:"want"`
	Allowed bool      `json:"allowed"`
	Role    string    `json:"role"`
	Open    bool      `json:"-"` // rows follow
}

// Bounds of a tap from a page. Chosen: as long as somebody watches a page fill.
const (
	tapCount, maxTapCount     = 100, 1000
	tapSeconds, maxTapSeconds = 10, 60
)

func (p *Pages) taps(r *http.Request, who Who) (content, error) {
	q := r.URL.Query()
	d := tapsPage{Want: tapOf(q), Allowed: who.May("operator"), Role: who.Role}
	return content{view: "taps", title: "Taps", nav: "Taps", data: d}, nil
}

func tapOf(v map[string][]string) TapWanted {
	first := func(key string) string { return strings.TrimSpace(strings.Join(v[key], "")) }
	return TapWanted{Actor: first("actor"), Match: first("match"), Count: int64(numberOf(first("count"), tapCount, maxTapCount)),
		Seconds: float64(numberOf(first("for"), tapSeconds, maxTapSeconds))}
}

// tap opens a tap and writes the page as messages come: a browser shows each row when it is there, without a script.
func (p *Pages) tap(w http.ResponseWriter, r *http.Request) {
	broken := p.readForm(w, r)
	who, err := p.who(r.Context())
	if err == nil {
		err = p.checkForm(r, who, broken)
	}
	if err != nil {
		p.write(w, r, who, refusal(err))
		return
	}
	d := tapsPage{Want: tapOf(r.PostForm), Allowed: true, Role: who.Role, Open: true}
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(p.cfg.Now().Add(time.Duration(d.Want.Seconds)*time.Second + 10*time.Second)) // without one, the tap's own end is the bound
	var head, tail []byte
	begun, seen := false, 0
	begin := func() error {
		var page bytes.Buffer
		if err := p.render(&page, r, who, content{view: "taps", title: "Tap", nav: "Taps", data: d}); err != nil {
			return err
		}
		var found bool
		if head, tail, found = bytes.Cut(page.Bytes(), []byte(rowsHere)); !found {
			return fmt.Errorf("the page of taps has no place for rows")
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("X-Accel-Buffering", "no")
		begun = true
		if _, err := w.Write(head); err != nil {
			return err
		}
		return out.Flush()
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(d.Want.Seconds+5)*time.Second)
	defer cancel()
	dropped, err := p.cfg.Model.Tap(ctx, d.Want, func(m Tapped) error {
		if !begun {
			return begin()
		}
		seen++
		return p.row(w, out, m)
	})
	if err != nil && !begun {
		p.write(w, r, who, refusal(err))
		return
	}
	if !begun && begin() != nil {
		return // the reader has gone
	}
	p.endTap(w, seen, dropped, err)
	_, _ = w.Write(tail) // an error means that the reader has gone
}

func (p *Pages) row(w http.ResponseWriter, out *http.ResponseController, m Tapped) error {
	t, err := p.views.named("taps")
	if err == nil {
		err = t.ExecuteTemplate(w, "taprow", m)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

func (p *Pages) endTap(w http.ResponseWriter, seen int, dropped int64, err error) {
	words := "The tap has ended: " + counted(seen, "message", "messages") + " seen, " + strconv.FormatInt(dropped, 10) + " dropped."
	if err != nil {
		words = "The tap broke off: " + err.Error()
	}
	if t, err := p.views.named("taps"); err == nil {
		_ = t.ExecuteTemplate(w, "tapend", words) // an error means that the reader has gone
	}
}

// rowsHere marks where the rows of a tap go: html/template drops comments.
const rowsHere = template.HTML("<!--rows-->")
