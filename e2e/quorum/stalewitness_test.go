package quorum_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/chaos"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// A staleWay is a way to the witness on which one key can be frozen: reads of it return what they did before, however long
// ago. All else is as fresh as the store is.
type staleWay struct {
	url string

	mu     sync.Mutex
	frozen string            // the end of a key; empty for none
	last   map[string][]byte // bodies of reads that succeeded, by path
}

// newStaleWay starts one to an API of Workers KV.
func newStaleWay(t *testing.T, baseURL string) *staleWay {
	t.Helper()
	api, err := url.Parse(baseURL)
	if err != nil {
		t.Fatal(err)
	}
	s := &staleWay{last: map[string][]byte{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: api.Scheme, Host: api.Host}) },
		ModifyResponse: s.remember,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		body, ok := s.last[r.URL.Path]
		stale := ok && s.frozen != "" && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, s.frozen)
		s.mu.Unlock()
		if stale {
			_, _ = w.Write(body)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL + api.Path
	return s
}

func (s *staleWay) remember(resp *http.Response) error {
	if resp.Request.Method != http.MethodGet || resp.StatusCode != http.StatusOK {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[resp.Request.URL.Path] = body
	return err
}

// freeze freezes the key of a region's flag.
func (s *staleWay) freeze(r lease.Region) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = "/flag/" + string(r)
}

// staleWitness starts a group whose witness shows one standby, which it returns, a record of the holder that is stale for
// longer than witness.staleness, and for ever.
func staleWitness(t *testing.T, w *world) (holder, standby *region) {
	t.Helper()
	ways := map[*region]*staleWay{}
	for _, r := range w.regions {
		way := newStaleWay(t, r.Link.BaseURL)
		ways[r] = way
		yaml := strings.Replace(r.YAML(), r.Link.BaseURL, way.url, 1)
		if err := os.WriteFile(r.ConfigFile(), []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	holder, standbys := w.settle()
	standby = standbys[0] // of the best rank
	ways[standby].freeze(holder.Name)
	return holder, standby
}

// staleWithoutQuorum shows what a witness does that breaks its staleness bound: two regions have authority at once. Whether their layers
// are active at once as well is a race: the holder fences as soon as it reads that the other one is active.
func staleWithoutQuorum(t *testing.T, binaries daemon.Binaries) {
	w := &world{t: t, params: params()}
	w.params.Staleness = time.Second
	for _, r := range daemon.NewGroup(t, binaries, w.params, nil).Regions {
		w.regions = append(w.regions, &region{Region: r})
	}
	holder, standby := staleWitness(t, w)
	frozen := now()
	w.await(string(standby.Name)+" is active", func() bool { _, ok := w.hook(standby, "activate", "end", frozen); return ok })
	w.await(string(holder.Name)+" notices", func() bool { _, ok := w.became(holder, lease.Standby, frozen); return ok })
	var taken chaos.Transition
	w.await("the history of "+string(standby.Name)+" has it", func() (ok bool) { taken, ok = w.became(standby, lease.Active, frozen); return ok })
	next := slices.IndexFunc(holder.transitions, func(t chaos.Transition) bool { return t.At > taken.At })
	if next < 1 || holder.transitions[next-1].To != lease.Active {
		t.Fatalf("the witness lies, and %s was not active any more when %s took: the test of the veto is worth nothing", holder.Name, standby.Name)
	}
	t.Logf("without the quorum: both had authority for %v; %s", holder.transitions[next].At.Sub(taken.At), strings.Join(w.overlaps(), "; "))
}

// veto: the same with the quorum, which the standby is cut off from until it is about to take. It asks, and does not.
func veto(t *testing.T, binaries daemon.Binaries) {
	p := params() // with much time between the flag of a candidate and its taking, and for its questions
	p.Staleness = 4 * time.Second
	w := makeWorld(t, binaries, p)
	holder, standby := staleWitness(t, w)
	for _, way := range standby.ways {
		way.Set(resolvers.Drops)
	}
	// It asks request_timeout before it would take. What it asks over UDP is still lost; over TCP it is not.
	w.await(string(standby.Name)+" is about to take", func() bool {
		s, ok := w.status(standby)
		for _, g := range s.Gates {
			if ok && s.State == lease.Candidate && g.Code == lease.GateStalenessWait && g.OpensIn != nil {
				return *g.OpensIn < (w.params.RequestTimeout - 4*daemon.LookAgain).Seconds()
			}
		}
		return false
	})
	for _, way := range standby.ways {
		way.Set(resolvers.Honest)
	}
	w.await(string(standby.Name)+" withdraws", func() bool { s, ok := w.status(standby); return ok && s.State == lease.Standby })
	w.holds(holder, w.params.TTL)
	w.noOverlap()
	if _, log := standby.Process().Output(); !strings.Contains(log, "reason="+string(lease.NoticeWitnessStale)) {
		t.Errorf("the log of %s does not say %s", standby.Name, lease.NoticeWitnessStale)
	}
	if _, status := w.cli(standby, "status", "--address", standby.Address()); !strings.Contains(status, "witness staler than its bound ("+string(holder.Name)+")") {
		t.Errorf("status of %s does not say that the witness is stale:\n%s", standby.Name, status)
	}
	t.Logf("with the quorum: %s: %v", standby.Name, standby.transitions)
}
