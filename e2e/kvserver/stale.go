package kvserver

import (
	"bytes"
	"maps"
	"math"
	"net/http"
	"strings"
	"time"
)

// An answer is what the store has answered to a read.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
	asked  time.Time // it is as old as that, at the most
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Stale has the link answer reads as Cloudflare's edges do: by what the store has answered to the same read no longer than d
// before, if it has. 0 ends it. Writes are not touched by it.
func (l *Link) Stale(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale, l.own, l.answers = d, "", map[string]*answer{}
}

// Split has the link answer reads as a store does that has come apart: those of the keys that end in a name, the client's own, are as the
// store has them, and all others are answered for ever by what it answers now. Stale ends it.
func (l *Link) Split(own string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale, l.own, l.answers = math.MaxInt64, own, map[string]*answer{}
}

// read answers a read on a link that is stale: from what is remembered, or by serve.
func (l *Link) read(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) {
	l.mu.Lock()
	d, own, old := l.stale, l.own, l.answers[r.URL.String()]
	l.mu.Unlock()
	key, _ := keyOf(r)
	switch {
	case d == 0, own != "" && strings.HasSuffix(key, "/"+own):
		serve(w)
		return
	case old == nil || time.Since(old.asked) > d:
		old = &answer{header: http.Header{}, status: http.StatusOK, asked: time.Now()}
		serve(old)
		l.mu.Lock()
		l.answers[r.URL.String()] = old
		l.mu.Unlock()
	}
	maps.Copy(w.Header(), old.header)
	w.WriteHeader(old.status)
	w.Write(old.body.Bytes())
}
