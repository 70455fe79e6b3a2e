package console

import (
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
)

// replyTagged answers with a tag of what it says, or with 304 where the client has exactly that. The seq is part of every
// document, so that a tag changes with it; it alone would not do: counters move without an event.
func replyTagged(w http.ResponseWriter, r *http.Request, v any) {
	whole := kept{header: http.Header{}}
	writeJSON(&whole, v)
	sum := fnv.New64a()
	_, _ = sum.Write(whole.body.Bytes()) // a hash never fails
	tag := `"` + strconv.FormatUint(sum.Sum64(), 16) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache") // kept, and asked about each time
	if known(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(whole.body.Bytes()) // an error means that the reader has gone
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
