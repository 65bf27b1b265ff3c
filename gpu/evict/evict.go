// Package evict has pods leave GPUs, and keeps new ones from coming.
//
// It guarantees:
//
//   - A node is cordoned before any pod of it is evicted. The cordon bears a mark, and
//     one that bears none is somebody else's: it is neither marked nor undone.
//   - A pod leaves by policy/v1 Eviction only, with its UID as the precondition. What a
//     disruption budget refuses is tried again later, for as long as there is a reason to
//     evict, and reported; it is never deleted.
//   - For a degraded region, what brings pods back is stopped first, where that takes no
//     pod away that would stay or that a budget has a say in: ClusterQueues and Workloads
//     of Kueue's, InferenceServices of KServe's. It bears marks, too, and is as it was when
//     the region has recovered. What others have stopped, or set since, stays so.
//   - Each pass reads what is there and goes on from that: a restart in the midst, or a
//     second instance at the same time, changes nothing about the outcome.
//
// Which pods leave, in which order and when a node may have pods again is package gpu's to
// say.
package evict

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// Config is what an Evictor is made of.
type Config struct {
	Selector    string        // of labels of pods; empty: all
	MaxPriority int64         // pods of a higher one are left
	GracePeriod time.Duration // that a pod has to end; whole seconds, at least one
	Budget      int64         // GPUs that pods may have altogether; 0: any number
	Now         func() lease.Instant
	Log         hclog.Logger
}

// A Situation is what there may be to evict for.
type Situation struct {
	GPUs   []gpu.State
	Region gpu.Condition // Unhealthy: it is degraded; Healthy: it is known not to be
}

// An Evictor evicts pods of one cluster. Its passes must not overlap; its metrics may be
// collected, and Found called, at any time.
type Evictor struct {
	cfg      Config
	client   *kube.Client
	rest     rest.Interface // for evictions: the dynamic client tries one that was refused again by itself
	selector labels.Selector
	metrics  *metrics
	found    atomic.Pointer[gpu.Evictions]
	tries    map[string]try           // of pods that were refused, by UID
	left     map[string]lease.Instant // when the last pod left a node that they leave one by one
	leaving  map[string]bool          // pods that were terminating at the last pass, by UID
	draining map[string]lease.Instant // since when workloads that were stopped have had pods that are to leave, by UID
	told     string                   // the last report that was logged
	absent   string                   // the kinds that were last logged as absent
}

// New returns an evictor. It asks nobody yet.
func New(client *kube.Client, c Config) (*Evictor, error) {
	selector, err := labels.Parse(c.Selector)
	if err != nil {
		return nil, fmt.Errorf("selector: %w", err)
	}
	config := dynamic.ConfigFor(client.Config)
	config.GroupVersion = &podGroup
	config.APIPath = "/api"
	plain, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for evictions: %w", err)
	}
	e := &Evictor{cfg: c, client: client, rest: plain, selector: selector, metrics: newMetrics(), tries: map[string]try{}, left: map[string]lease.Instant{}}
	e.found.Store(&gpu.Evictions{})
	return e, nil
}

const (
	// every is how often a pass is made where none is due sooner.
	every = 5 * time.Second

	// passTimeout is what one pass may take. What it leaves, the next does.
	passTimeout = time.Minute

	// callTimeout is what one call of the API server may take.
	callTimeout = 10 * time.Second
)

// Run makes passes until ctx ends.
func (e *Evictor) Run(ctx context.Context, look func() Situation) {
	for {
		pass, cancel := context.WithTimeout(ctx, passTimeout)
		report, err := e.Pass(pass, look())
		cancel()
		if ctx.Err() != nil {
			return // what a pass that was ended could not do is no news
		}
		e.show(report, err)
		e.tell(report, err)
		wait := every
		if report.Again > 0 {
			wait = min(wait, max(report.Again, firstPause))
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// recently is how many of the pods that were evicted are shown.
const recently = 20

// Found is what is known of evictions. Any goroutine may call it.
func (e *Evictor) Found() gpu.Evictions { return *e.found.Load() }

func (e *Evictor) show(r gpu.Report, err error) {
	last := e.Found()
	next := gpu.Evictions{Passed: true, At: e.cfg.Now(), Report: r, Total: last.Total + len(r.Evicted)}
	if err != nil {
		next.Trouble = err.Error()
	}
	for _, p := range slices.Backward(r.Evicted) {
		next.Recent = append(next.Recent, gpu.Evicted{Pod: p, At: next.At})
	}
	next.Recent = append(next.Recent, last.Recent...)
	next.Recent = next.Recent[:min(len(next.Recent), recently)]
	e.found.Store(&next)
}

// tell logs what a pass brought, if that is something new.
func (e *Evictor) tell(r gpu.Report, err error) {
	text := r.String()
	if err != nil {
		text = strings.Trim(err.Error()+"; "+text, "; ")
	}
	switch {
	case text == e.told:
	case err != nil || len(r.Blocked) > 0:
		e.cfg.Log.Warn("evictions from GPUs", "state", text)
	case text != "" || e.told != "":
		e.cfg.Log.Info("evictions from GPUs", "state", text)
	}
	e.told = text
	if absent := strings.Join(r.Absent, ", "); absent != e.absent {
		if absent != "" {
			e.cfg.Log.Info("the cluster does not have these, so none is stopped before pods leave GPUs", "kinds", absent)
		}
		e.absent = absent
	}
}
