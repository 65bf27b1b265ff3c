package storm

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

const (
	// gateEvery is how often the gate is asked, as a balancer does, and claimEvery how often the instance is asked what it is.
	gateEvery  = 20 * time.Millisecond
	claimEvery = 200 * time.Millisecond
)

// A sampler asks an instance again and again what it is. One that is frozen, or does not run, does not answer.
type sampler struct {
	address string
	client  *http.Client

	mu   sync.Mutex
	said Record // its Claims and Gates
}

// newSampler samples until the test ends.
func newSampler(t *testing.T, i *instance) *sampler {
	s := &sampler{address: "http://" + i.Address(), client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	every := func(d time.Duration, do func(context.Context)) {
		done.Go(func() {
			tick := time.NewTicker(d)
			defer tick.Stop()
			for ctx.Err() == nil {
				do(ctx)
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	every(gateEvery, s.askGate)
	every(claimEvery, s.askClaim)
	t.Cleanup(func() { cancel(); done.Wait(); s.client.CloseIdleConnections() })
	return s
}

func (s *sampler) seen() ([]Claim, []Gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.said.Claims), slices.Clone(s.said.Gates)
}

// get asks for a page.
func (s *sampler) get(ctx context.Context, page string) *http.Response {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+page, nil)
	if err != nil {
		return nil
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil
	}
	return response
}

func (s *sampler) askGate(ctx context.Context) {
	sent := now()
	response := s.get(ctx, "/readyz?gate="+daemon.GroupName)
	if response == nil {
		return
	}
	response.Body.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.gate(sent, now(), response.StatusCode == http.StatusOK)
}

func (s *sampler) askClaim(ctx context.Context) {
	sent := now()
	response := s.get(ctx, "/status")
	if response == nil {
		return
	}
	defer response.Body.Close()
	var status daemon.Status
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil || response.StatusCode != http.StatusOK {
		return
	}
	c := Claim{Sent: sent, Received: now(), State: status.State, Reason: status.Reason.Code}
	if status.Authority {
		c.Epoch, c.Deadline = status.Epoch, sent.Add(time.Duration(status.AuthorityRemaining*float64(time.Second)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.Claims = append(s.said.Claims, c)
}
