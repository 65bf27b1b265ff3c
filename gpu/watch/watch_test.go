package watch_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/watch"
	"github.com/openova-io/failoverd/lease"
)

// source is one GPU, and does what it is told.
type source struct {
	mu     sync.Mutex
	does   does
	reads  int
	closed bool
}

type does struct {
	xids  []int
	fails error
	hangs bool
}

func (s *source) Read(ctx context.Context) ([]gpu.Reading, error) {
	s.mu.Lock()
	s.reads++
	do := s.does
	s.mu.Unlock()
	if do.hangs {
		<-ctx.Done()
		return nil, errors.New("it hangs")
	}
	if do.fails != nil {
		return nil, do.fails
	}
	return []gpu.Reading{{Device: gpu.Device{UUID: "GPU-0", Node: "gpu-1"}, Temperature: gpu.Known(40), XIDs: gpu.XIDs{Known: true, Numbers: do.xids}}}, nil
}

func (s *source) Close() { s.closed = true }

func (s *source) tell(d does) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.does = d
}

// asked is how often it was read.
func (s *source) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// start starts a watch, in a bubble of synctest.
func start(t *testing.T, s *source) (w *watch.Watch, stop func()) {
	began := time.Now()
	w = watch.New(watch.Config{
		Source: s, Name: "test", Interval: time.Second, Log: hclog.NewNullLogger(),
		Now: func() lease.Instant { return lease.Instant(0).Add(time.Since(began)) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	return w, func() { cancel(); <-done }
}

// condition is how the GPU is.
func condition(t *testing.T, w *watch.Watch) gpu.Condition {
	synctest.Wait()
	f := w.Found()
	if len(f.States) != 1 {
		t.Fatalf("got %d GPUs, want 1", len(f.States))
	}
	return f.States[0].Condition
}

// TestFailure has the source fail or hang: soon the GPU is unknown, and stays so.
func TestFailure(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := &source{does: does{xids: []int{79}}}
			w, stop := start(t, s)
			defer stop()
			time.Sleep(time.Second / 2)
			if got := condition(t, w); got != gpu.Unhealthy {
				t.Errorf("got %s, want unhealthy", got)
			}
			s.tell(does{fails: errors.New("gone"), hangs: hangs})
			time.Sleep(10 * time.Second)
			if got := condition(t, w); got != gpu.Unknown {
				t.Errorf("10s after the last reading: got %s, want unknown", got)
			}
			if f := w.Found(); f.Trouble == "" {
				t.Error("got no trouble, want why it fails")
			}
			time.Sleep(time.Hour)
			if got := condition(t, w); got != gpu.Unknown {
				t.Errorf("an hour later: got %s, want unknown", got)
			}
			// It is read seldom, and not never.
			if n := s.asked(); n < 100 || n > 200 {
				t.Errorf("got %d reads in an hour of failing, want about one in 30s", n)
			}
			s.tell(does{})
			time.Sleep(2 * time.Minute)
			if got := condition(t, w); got != gpu.Healthy {
				t.Errorf("2m after it came back: got %s, want healthy", got)
			}
		})
	}
}

// TestNeverThere has a source that never answers: there is no GPU to say anything of.
func TestNeverThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{does: does{fails: errors.New("libdcgm.so.4: cannot open shared object file")}}
		w, stop := start(t, s)
		time.Sleep(time.Minute)
		synctest.Wait()
		if f := w.Found(); len(f.States) != 0 || !f.Asked || !strings.Contains(f.Trouble, "libdcgm") {
			t.Errorf("got %+v, want no GPU, and why", f)
		}
		stop()
		if !s.closed {
			t.Error("the source is not closed")
		}
	})
}

// TestRhythm reads once in an interval while all goes well.
func TestRhythm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		_, stop := start(t, s)
		time.Sleep(time.Minute + time.Second/2)
		synctest.Wait()
		stop()
		if n := s.asked(); n != 61 {
			t.Errorf("got %d reads in a minute, want 61", n)
		}
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{does: does{xids: []int{79}}}
		w, stop := start(t, s)
		defer stop()
		time.Sleep(time.Second)
		synctest.Wait()
		registry := prometheus.NewRegistry()
		registry.MustRegister(w)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var page strings.Builder
		for _, f := range families {
			if _, err := expfmt.MetricFamilyToText(&page, f); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{
			`failoverd_gpu_unhealthy{cause="thermal_throttling",gpu="GPU-0"} 0`, `failoverd_gpu_unhealthy{cause="xid_fatal",gpu="GPU-0"} 1`,
			`failoverd_gpu_condition{condition="unhealthy",gpu="GPU-0",node="gpu-1"} 1`, `failoverd_gpu_condition{condition="healthy",gpu="GPU-0",node="gpu-1"} 0`,
			`failoverd_gpu_source_up{source="test"} 1`,
		} {
			if !strings.Contains(page.String(), want+"\n") {
				t.Errorf("got\n%s\nwant %s", &page, want)
			}
		}
	})
}
