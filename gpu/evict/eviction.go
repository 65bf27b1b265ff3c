package evict

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/lease"
)

// Pauses between two tries to evict one pod. The API server may ask for longer ones.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
	longestAsked = 5 * time.Minute // that is believed
)

// drainTime is how long pods are left to Kueue before they are evicted like others: it may
// be down.
const drainTime = 30 * time.Second

// A try is what is known of a pod whose eviction was refused.
type try struct {
	since, next lease.Instant
	pause       time.Duration
	refusal
}

// A refusal is why a pod is still there.
type refusal struct {
	why, budget string        // the budget that keeps it, where one is named
	after       time.Duration // that the API server asks to wait
}

// settleTime is how long after a pod has left a node the readings of its GPUs take to say
// whether that was enough, at most (gpu's rules).
const settleTime = 75 * time.Second

// evict evicts those of a selection that are due: those of the lowest priority first, and
// the next only when all of them have been tried. Those that are drained leave without.
func (e *Evictor) evict(ctx context.Context, s gpu.Selection, paces map[string]gpu.Pace, drained map[string]bool, r *gpu.Report) error {
	r.Kept = map[gpu.Keep]int{}
	for _, k := range s.Kept {
		r.Kept[k.Why]++
	}
	e.remember(s, paces)
	var failed error
	due := slices.DeleteFunc(slices.Clone(s.Evict), func(p gpu.Pod) bool { return drained[p.UID] })
	r.Draining = len(s.Evict) - len(due)
	for rest := due; len(rest) > 0 && ctx.Err() == nil; {
		level := 1
		for level < len(rest) && rest[level].Priority == rest[0].Priority {
			level++
		}
		var mu sync.Mutex
		failed = errors.Join(failed, atOnce(e.due(rest[:level], paces, r), func(p gpu.Pod) error {
			outcome, why := e.try(ctx, p)
			e.metrics.evictions.WithLabelValues(outcome).Inc()
			mu.Lock()
			defer mu.Unlock()
			if outcome == evicted {
				r.Evicted = append(r.Evicted, p)
			}
			e.note(p, why)
			return nil
		}))
		rest = rest[level:]
	}
	now := e.cfg.Now()
	for _, p := range s.Evict {
		if t := e.tries[p.UID]; t.why != "" {
			r.Blocked = append(r.Blocked, gpu.Blocked{Pod: p, Budget: t.budget, Why: t.why, For: now.Sub(t.since)})
			if again := max(t.next.Sub(now), 1); r.Again == 0 || again < r.Again {
				r.Again = again
			}
		}
	}
	return failed
}

// due are those of a level that may leave now: of a node that they leave one by one, one,
// and only if the last one's leaving has had time to show.
func (e *Evictor) due(level []gpu.Pod, paces map[string]gpu.Pace, r *gpu.Report) (due []gpu.Pod) {
	now := e.cfg.Now()
	for _, p := range level {
		if t, ok := e.tries[p.UID]; ok && now < t.next {
			continue
		}
		if paces[p.Node] == gpu.OneByOne {
			if last, ok := e.left[p.Node]; ok && now.Sub(last) < e.cfg.GracePeriod+settleTime {
				r.Waiting++
				continue
			}
			e.left[p.Node] = now
		}
		due = append(due, p)
	}
	return due
}

// remember takes in what is there, and forgets what is not any more.
func (e *Evictor) remember(s gpu.Selection, paces map[string]gpu.Pace) {
	there := map[string]bool{}
	for _, p := range s.Evict {
		there[p.UID] = true
	}
	leaving := map[string]bool{}
	for _, k := range s.Kept {
		if k.Why != gpu.KeepTerminating {
			continue
		}
		leaving[k.UID] = true
		if !e.leaving[k.UID] {
			e.left[k.Node] = e.cfg.Now()
		}
	}
	e.leaving = leaving
	maps.DeleteFunc(e.tries, func(uid string, _ try) bool { return !there[uid] })
	maps.DeleteFunc(e.left, func(node string, _ lease.Instant) bool { return paces[node] != gpu.OneByOne })
}

// forget forgets all that was remembered for evictions.
func (e *Evictor) forget() {
	clear(e.tries)
	clear(e.left)
	clear(e.leaving)
	clear(e.draining)
}

// note takes in how a try went: why the pod is still there, if it is.
func (e *Evictor) note(p gpu.Pod, r refusal) {
	if r.why == "" {
		delete(e.tries, p.UID)
		return
	}
	now := e.cfg.Now()
	t, ok := e.tries[p.UID]
	if !ok {
		t.since = now
	}
	t.refusal = r
	t.pause = min(max(2*t.pause, firstPause), longestPause)
	t.next = now.Add(max(t.pause, min(r.after, longestAsked)))
	e.tries[p.UID] = t
	delete(e.left, p.Node) // nothing has left: the next one may
}

// Outcomes of evictions.
const (
	evicted = "evicted"
	blocked = "blocked" // by a disruption budget, or the API server has too much to do
	gone    = "gone"    // before it was evicted
	failed  = "error"
)

// try asks for the eviction of one pod. It returns why the pod is still there, if it is.
func (e *Evictor) try(ctx context.Context, p gpu.Pod) (outcome string, why refusal) {
	body, err := json.Marshal(map[string]any{
		"apiVersion": "policy/v1", "kind": "Eviction",
		"metadata":      map[string]any{"name": p.Name, "namespace": p.Namespace},
		"deleteOptions": map[string]any{"gracePeriodSeconds": max(int64(e.cfg.GracePeriod/time.Second), 1), "preconditions": map[string]any{"uid": p.UID}},
	})
	if err != nil {
		return failed, refusal{why: err.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = e.rest.Post().Namespace(p.Namespace).Resource(pods.Resource).Name(p.Name).SubResource("eviction").
		SetHeader("Content-Type", "application/json").Body(body).MaxRetries(0).Do(ctx).Error()
	switch {
	case err == nil:
		return evicted, refusal{}
	case apierrors.IsNotFound(err), apierrors.IsConflict(err): // another pod has its name by now: the next pass sees that one
		return gone, refusal{}
	}
	why = explain(err)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		why.after = time.Duration(seconds) * time.Second
	}
	if apierrors.IsTooManyRequests(err) {
		return blocked, why
	}
	return failed, why
}

// aboutBudget begins what the API server says of the budget that keeps a pod; its name
// comes next.
const aboutBudget = "The disruption budget "

// explain is what an error says, and which budget it names.
func explain(err error) refusal {
	r := refusal{why: err.Error()}
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return r
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Message != "" && !strings.Contains(r.why, cause.Message) {
			r.why += " " + cause.Message
		}
		if about, ok := strings.CutPrefix(cause.Message, aboutBudget); ok && cause.Type == "DisruptionBudget" {
			r.budget, _, _ = strings.Cut(about, " ")
		}
	}
	return r
}
