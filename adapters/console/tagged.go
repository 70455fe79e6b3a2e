package console

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// replyTagged answers with a tag of what it says, or with 304 where the client has exactly that. The seq is part of every
// document, so that a tag changes with it; it alone would not do: counters move without an event.
func replyTagged(w http.ResponseWriter, r *http.Request, v any) {
	whole := kept{header: http.Header{}}
	writeJSON(&whole, v)
	sum := fnv.New64a()
	_, _ = sum.Write(whole.body.Bytes()) // a hash never fails
	if unchanged(w, r, sum.Sum64()) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(whole.body.Bytes()) // an error means that the reader has gone
}

// unchanged tells the tag of an answer, and answers with 304 where the client has that.
func unchanged(w http.ResponseWriter, r *http.Request, sum uint64) bool {
	tag := `"` + strconv.FormatUint(sum, 16) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache") // kept, and asked about each time
	if !known(r.Header.Get("If-None-Match"), tag) {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// deckiesUnchanged tags the list of deckies without making it: by its version, the seq in it, and what was asked for.
func (s *Server) deckiesUnchanged(w http.ResponseWriter, r *http.Request, seq int64) bool {
	v, err := ask[messages.DeckiesVersion](r.Context(), s, messages.GetDeckiesVersion{}, answerWait)
	if err != nil {
		return false // the list itself will say so, or goes without a tag
	}
	sum := fnv.New64a()
	_, _ = fmt.Fprintf(sum, "%d %d %s", v, seq, r.URL.RawQuery) // a hash never fails
	return unchanged(w, r, sum.Sum64())
}

// replyLong answers with a long list, item by item: the whole of it is never in memory twice.
func replyLong[T any](w http.ResponseWriter, head Envelope, items []T, made func(T) T, seq int64) {
	w.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(w, 32<<10)
	_, _ = fmt.Fprintf(out, `{"api":%q,"kind":%q,"items":[`, head.API, head.Kind)
	var item bytes.Buffer
	e := json.NewEncoder(&item)
	e.SetEscapeHTML(false)
	for i, x := range items {
		if i > 0 {
			_ = out.WriteByte(',')
		}
		item.Reset()
		_ = e.Encode(made(x)) // into memory, of what is all texts and numbers
		if _, err := out.Write(bytes.TrimSuffix(item.Bytes(), []byte("\n"))); err != nil {
			return // the reader has gone
		}
	}
	_, _ = fmt.Fprintf(out, "],\"seq\":%d}\n", seq)
	_ = out.Flush() // an error means that the reader has gone
}

// known says whether a list of tags has one. Source: RFC 9110, weak comparison.
func known(list, tag string) bool {
	for x := range strings.SplitSeq(list, ",") {
		if x = strings.TrimPrefix(strings.TrimSpace(x), "W/"); x == tag || x == "*" {
			return true
		}
	}
	return false
}
