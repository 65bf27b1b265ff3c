package demo

import (
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/openova-io/failoverd/agent/page"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
)

// A site is the address of a region's status page: the same one over all lives of its agent. While none lives, whoever asks is
// cut off.
type site struct {
	url    string
	server *http.Server
	lives  atomic.Pointer[http.Handler] // nil: no agent lives
}

func newSite(name lease.Region) (*site, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the page of %s: %w", name, err)
	}
	s := &site{url: "http://" + listener.Addr().String() + "/"}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Second}
	go s.server.Serve(listener)
	return s, nil
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	lives := s.lives.Load()
	if lives == nil {
		panic(http.ErrAbortHandler) // which ends the connection
	}
	(*lives).ServeHTTP(w, r)
}

func (s *site) close() { s.server.Close() }

// page is the status page of a run, as `failoverd run` serves it.
func (r *region) page(of *run) *page.Page {
	return page.New(page.Config{Agent: of.agent, Params: r.params, History: func(limit int) ([]statedir.Episode, error) {
		return statedir.ReadHistory(r.stateDir, limit)
	}})
}
