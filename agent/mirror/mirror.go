package mirror

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// Config is what a Mirror is made of.
type Config struct {
	Client    *kube.Client
	Namespace string // of the Lease
	Params    lease.Params
	Log       hclog.Logger
}

// A Mirror is one agent's. Its methods may be used concurrently; none of them blocks, but
// for Run and Check.
type Mirror struct {
	cfg     Config
	metrics *metrics
	queue   *queue
	wake    chan struct{} // has something when there is news for the Lease
	tried   chan struct{} // closed when the Lease has been written, or could not be

	command func(context.Context, audit.Command) error // nil: nobody commands by the Lease

	mu   sync.Mutex
	want view
	uid  types.UID // of the Lease; empty before it was written
}

// New returns a mirror that has written nothing yet.
func New(cfg Config) *Mirror {
	return &Mirror{cfg: cfg, metrics: newMetrics(), queue: newQueue(), wake: make(chan struct{}, 1), tried: make(chan struct{})}
}

// Show makes what stands in the agent what the Lease is to show. An instance that follows leaves the
// Lease to the one that acts.
func (m *Mirror) Show(d lease.Decision, peers []lease.PeerView) {
	p := m.cfg.Params
	var v view // of nothing
	if d.State != lease.Follower {
		v = look(p.Region, p.TTL, d, peers, time.Now())
	}
	m.mu.Lock()
	news := v.news(m.want)
	m.want = v
	m.mu.Unlock()
	if news {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// Run writes until ctx ends; then it writes what is left, as far as that takes no longer
// than Params.RequestTimeout.
func (m *Mirror) Run(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { m.runLease(ctx) })
	both.Go(func() { m.runEvents(ctx) })
	both.Wait()
}

// runLease writes the Lease when there is news, RetryInterval apart at least, and else
// every RenewInterval.
func (m *Mirror) runLease(ctx context.Context) {
	p := m.cfg.Params
	writer := writer{mirror: m}
	next := time.NewTimer(p.RenewInterval)
	defer next.Stop()
	trouble := trouble{log: m.cfg.Log, what: "the Lease that shows the state in the cluster can't be written"}
	first := sync.OnceFunc(func() { close(m.tried) })
	defer first()
	for ended := false; ; {
		select {
		case <-m.wake:
		case <-next.C:
		case <-ctx.Done():
			ended = true
		}
		v := m.wanted()
		if ended && (v.state == "" || !v.news(writer.shown)) {
			return
		}
		if v.state != "" {
			writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.RequestTimeout)
			err := writer.write(writing, v)
			cancel()
			m.metrics.leaseWritten(err)
			trouble.note(err)
			first()
		}
		if ended {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(p.RetryInterval):
		}
		next.Reset(p.RenewInterval - p.RetryInterval)
	}
}

func (m *Mirror) wanted() view {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.want
}

// A trouble is logged once when it begins, and once when it has ended.
type trouble struct {
	log  hclog.Logger
	what string
	is   bool
}

func (t *trouble) note(err error) {
	switch {
	case err != nil && !t.is:
		t.log.Warn(t.what+"; the lease goes on without", "error", err)
	case err == nil && t.is:
		t.log.Info("works again", "call", "mirror")
	}
	t.is = err != nil
}
