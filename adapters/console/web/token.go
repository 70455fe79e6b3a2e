package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// tokens prove that a form was filled in on a page of ours, by whom the page was made for.
type tokens struct{ key [32]byte }

// tokenLife is how long a page may stay open before its forms are refused. Chosen: a shift.
const tokenLife = 12 * time.Hour

func (t *tokens) issue(who Who, now time.Time) string {
	at := strconv.FormatInt(now.Unix(), 36)
	return at + "." + t.sign(at, who)
}

func (t *tokens) sign(at string, who Who) string {
	mac := hmac.New(sha256.New, t.key[:])
	mac.Write([]byte(at + "\x00" + itoa(who.UID) + "\x00" + who.User + "\x00" + who.Role))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (t *tokens) valid(token string, who Who, now time.Time) bool {
	at, sum, found := strings.Cut(token, ".")
	seconds, err := strconv.ParseInt(at, 36, 64)
	if !found || err != nil || !hmac.Equal([]byte(sum), []byte(t.sign(at, who))) {
		return false
	}
	age := now.Sub(time.Unix(seconds, 0))
	return age >= -time.Minute && age < tokenLife
}

// maxForm bounds a form. Source: 500 marked deckies whose names have 128 bytes, each of them escaped.
const maxForm = 256 << 10

// formWait bounds the sending of a form. Source: the same as for bodies of the API.
const formWait = 5 * time.Second

// order serves a form: it is read in time, and looked at only if a page of ours was its source.
func (p *Pages) order(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		broken := p.readForm(w, r)
		_ = http.NewResponseController(w).SetWriteDeadline(p.cfg.Now().Add(orderWait)) // where there is none, the order has one
		p.page(func(r *http.Request, who Who) (content, error) {
			if err := p.checkForm(r, who, broken); err != nil {
				return content{}, err
			}
			return h(r, who)
		})(w, r)
	}
}

func (p *Pages) readForm(w http.ResponseWriter, r *http.Request) error {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(p.cfg.Now().Add(formWait)) // where it cannot be set, the size is bounded still
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	_ = c.SetReadDeadline(time.Time{}) // else the end of the time would end the order
	return err
}

func (p *Pages) checkForm(r *http.Request, who Who, broken error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(broken, &large):
		return &Problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: "the form is larger than 256 KiB"}
	case broken != nil:
		return &Problem{Status: http.StatusBadRequest, Code: "bad_request", Detail: "the form cannot be read: " + broken.Error()}
	}
	if !sameOrigin(r) || !p.tokens.valid(r.PostForm.Get("token"), who, p.cfg.Now()) {
		return &Problem{Status: http.StatusForbidden, Code: "permission", Detail: "this form was not sent from a page of this console, or the page is too old",
			Hint: "nothing was done: load the page again and repeat it"}
	}
	return nil
}

// sameOrigin: a browser says where a form comes from. One that says nothing is judged by the token alone.
func sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
