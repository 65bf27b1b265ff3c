// Package watch keeps looking at GPUs: it reads a source at each interval, and judges.
//
// One goroutine, that of Run, owns the monitor. What it has found last, any goroutine may
// ask. A source that fails, or hangs, makes its GPUs unknown after a while, and is read
// again ever more rarely, until it answers.
package watch

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/lease"
)

// A Source reads all GPUs that it has, or fails.
type Source interface {
	Read(context.Context) ([]gpu.Reading, error)
	Close()
}

// Config is what is watched.
type Config struct {
	Source   Source
	Name     string // of the source, for people
	Interval time.Duration
	Now      func() lease.Instant // the boot clock
	Log      hclog.Logger
}

// What a source gets.
const (
	patience = 2 * time.Second  // for a reading, at least
	slowest  = 30 * time.Second // between readings of one that fails
)

// A Found is what was found last.
type Found struct {
	Source  string
	Asked   bool   // the source has been read, or has failed
	Trouble string // why the last reading failed; empty if it did not
	States  []gpu.State
}

// A Watch watches.
type Watch struct {
	cfg   Config
	found atomic.Pointer[Found]
}

// New returns a watch that Run starts.
func New(cfg Config) *Watch {
	w := &Watch{cfg: cfg}
	w.found.Store(&Found{Source: cfg.Name})
	return w
}

// Found is what was found last. Any goroutine may call it.
func (w *Watch) Found() Found { return *w.found.Load() }

// Patience is how long a source has for one reading.
func Patience(interval time.Duration) time.Duration { return max(interval, patience) }

// Run watches until ctx ends, and closes the source then.
func (w *Watch) Run(ctx context.Context) {
	defer w.cfg.Source.Close()
	// Three readings that fail, however long each takes to do so.
	monitor := gpu.NewMonitor(3 * Patience(w.cfg.Interval))
	failures := 0
	for {
		readings, err := w.read(ctx)
		if ctx.Err() != nil {
			return
		}
		now := w.cfg.Now()
		next := Found{Source: w.cfg.Name, Asked: true}
		if err == nil {
			monitor.Read(now, readings)
			failures = 0
		} else {
			next.Trouble = err.Error()
			failures++
		}
		next.States = monitor.Judge(now)
		w.tell(next)
		if !sleep(ctx, wait(w.cfg.Interval, failures)) {
			return
		}
	}
}

func (w *Watch) read(ctx context.Context) ([]gpu.Reading, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience(w.cfg.Interval))
	defer cancel()
	return w.cfg.Source.Read(ctx)
}

// wait is how long until the next reading, after so many failures on end. The first few
// come at the interval: a host engine that restarts is soon back.
func wait(interval time.Duration, failures int) time.Duration {
	if failures <= 3 {
		return interval
	}
	return min(interval<<min(failures-3, 8), max(slowest, interval))
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tell publishes what was found, and logs what has changed.
func (w *Watch) tell(next Found) {
	before := w.Found()
	switch {
	case next.Trouble != "" && before.Trouble == "":
		w.cfg.Log.Warn("the source of GPUs fails: of them nothing is known soon, and nothing is done", "source", w.cfg.Name, "error", next.Trouble)
	case next.Trouble == "" && len(next.States) == 0 && (!before.Asked || before.Trouble != ""):
		w.cfg.Log.Warn("the source of GPUs has no GPU: none is watched", "source", w.cfg.Name)
	case next.Trouble == "" && (before.Trouble != "" || !before.Asked || len(before.States) == 0 && len(next.States) > 0):
		w.cfg.Log.Info("the source of GPUs answers", "source", w.cfg.Name, "gpus", len(next.States))
	}
	was := map[string]gpu.Condition{}
	for _, s := range before.States {
		was[s.UUID] = s.Condition
	}
	for _, s := range next.States {
		if last, seen := was[s.UUID]; last != s.Condition && (seen || s.Condition == gpu.Unhealthy) {
			w.cfg.Log.Warn("a GPU", "gpu", s.UUID, "index", s.Index, "node", s.Node, "condition", s.Condition, "causes", causes(s))
		}
	}
	w.found.Store(&next)
}

// causes are the causes of a state, for people.
func causes(s gpu.State) string {
	var all []string
	for _, c := range s.Causes {
		all = append(all, string(c.Cause)+": "+c.Detail)
	}
	return strings.Join(all, ", ")
}
