package page

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
)

//go:embed assets
var assets embed.FS

// policy lets the page load what this server has, and nothing else: no script or style that is part of a text, and so of a
// name that somebody made up.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// An Agent is what the page is of. No method blocks.
type Agent interface {
	Status() agent.Status
	Changed() <-chan struct{}
}

// Config is what a Page is made of.
type Config struct {
	Agent   Agent
	Params  lease.Params
	History func(limit int) ([]statedir.Episode, error) // the newest, oldest first; it may hang
}

// A Page serves the status page. Its methods may be called by any goroutine.
type Page struct {
	cfg     Config
	history *history

	open    chan struct{} // holds a value for each stream
	opened  chan struct{} // gets one when there is a new one
	newest  atomic.Pointer[frame]
	ended   chan struct{}
	timings timings
}

// New returns a page; its streams have something to say while Run runs.
func New(cfg Config) *Page {
	p := &Page{
		cfg: cfg, history: newHistory(cfg.History), timings: usual,
		open: make(chan struct{}, maxStreams), opened: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	p.newest.Store(&frame{next: make(chan struct{})})
	return p
}

// Register adds the page to what a server serves: /, /events and what the page is made of.
func (p *Page) Register(mux *http.ServeMux) {
	mux.Handle("GET /{$}", secured(http.HandlerFunc(p.servePage)))
	mux.Handle("GET /events", secured(http.HandlerFunc(p.serveEvents)))
	for name, kind := range map[string]string{"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		mux.Handle("GET /"+name, secured(asset(name, kind)))
	}
}

func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", policy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		h.ServeHTTP(w, r)
	})
}

// asset serves a file, which a browser asks for again only when another version of the daemon runs.
func asset(name, kind string) http.Handler {
	content, err := assets.ReadFile("assets/" + name)
	if err != nil {
		panic(err) // it is part of the program
	}
	sum := fnv.New64a()
	sum.Write(content)
	tag := fmt.Sprintf(`"%x"`, sum.Sum64())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	})
}

func (p *Page) servePage(w http.ResponseWriter, r *http.Request) {
	var page bytes.Buffer
	if err := p.look(r.Context()).document().Render(&page); err != nil {
		http.Error(w, fmt.Sprintf("the page can't be rendered: %v; GET /status has the facts", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(page.Bytes())
}

// look is what the page says now.
func (p *Page) look(ctx context.Context) *view {
	s := p.cfg.Agent.Status()
	entries, trouble := p.history.newest(ctx, s.State)
	return newView(s, &p.cfg.Params, entries, trouble)
}
