package endpoint

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// Config is what an Endpoint is made of.
type Config struct {
	Client    *kube.Client
	Namespace string // of the Service
	Service   string
	Address   netip.Addr // of this instance's pod
	Node      string     // that the pod is on
	Port      uint16     // that the pod listens on, for every port of the Service

	Every   time.Duration // the EndpointSlice is looked at this often at rest
	Retry   time.Duration // and this long after a failure
	Timeout time.Duration // for one attempt
	Log     hclog.Logger
}

// An Endpoint is one instance's.
type Endpoint struct {
	cfg  Config
	acts atomic.Bool
	news chan struct{} // has something when this instance acts, and did not before
}

// New returns an endpoint that has written nothing yet.
func New(cfg Config) *Endpoint { return &Endpoint{cfg: cfg, news: make(chan struct{}, 1)} }

// Show tells what stands in the agent.
func (e *Endpoint) Show(d lease.Decision) {
	acts := d.Term > 0 && d.Confirmed
	if e.acts.Swap(acts) || !acts {
		return
	}
	select {
	case e.news <- struct{}{}:
	default:
	}
}

// Run leads the Service here for as long as this instance acts, until ctx ends. What stands then
// stays: the next one to act replaces it.
func (e *Endpoint) Run(ctx context.Context) {
	next := time.NewTimer(e.cfg.Every)
	defer next.Stop()
	failing := false
	for {
		select {
		case <-e.news:
		case <-next.C:
		case <-ctx.Done():
			return
		}
		wait := e.cfg.Every
		if e.acts.Load() {
			attempt, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
			wrote, err := e.lead(attempt)
			cancel()
			switch {
			case err != nil && !failing:
				e.cfg.Log.Warn("the Service for questions can't be led here; other regions may not reach this one", "error", err)
			case err == nil && failing:
				e.cfg.Log.Info("works again", "call", "lead the Service for questions here")
			}
			if wrote {
				e.cfg.Log.Info("the Service for questions leads here", "service", e.cfg.Service, "address", e.cfg.Address)
			}
			if failing = err != nil; failing {
				wait = e.cfg.Retry
			}
		}
		next.Reset(wait)
	}
}
