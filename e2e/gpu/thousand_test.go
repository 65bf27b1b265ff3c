package gpu

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
)

var (
	manyPods  = flag.Int("pods", 200, "how many pods TestMany evicts from")
	manyNodes = flag.Int("nodes", 20, "how many nodes they are on")
)

// priorities are those of pods, in turn; the last is above what is evicted.
var priorities = []int32{-10, 0, 500, 1000, 2000}

const highest = 1000

// mix fills nodes with pods of mixed priorities. Every fourth pod of a priority that is evicted is under a budget, ten pods
// a budget: a third of the budgets let all go, a third two, and a third none. It returns which pods are to leave at
// once whatever happens, and how many of each budget.
func (w *world) mix(pods, nodes int) (free map[string]int32, allowed map[string]int) {
	for _, p := range priorities {
		w.class(fmt.Sprintf("mixed-%d", p+10), p)
	}
	w.must(controlplane.AtOnce(nodes, func(i int) error { return w.node(fmt.Sprint("node-", i)) }))
	free, allowed = map[string]int32{}, map[string]int{}
	app := make([]string, pods)
	size := map[string]int{}
	for i := range pods {
		p := priorities[i%len(priorities)]
		switch {
		case p > highest:
			app[i] = "high"
		case i%4 == 3:
			app[i] = fmt.Sprint("budget-", i/50)
			size[app[i]]++
		default:
			app[i] = "free"
			free[fmt.Sprint("pod-", i)] = p
		}
	}
	w.must(controlplane.AtOnce(pods, func(i int) error {
		return w.pod(fmt.Sprint("pod-", i), fmt.Sprint("node-", i%nodes), func(p *corev1.Pod) {
			p.Labels["app"] = app[i]
			p.Spec.PriorityClassName = fmt.Sprintf("mixed-%d", priorities[i%len(priorities)]+10)
		})
	}))
	i := 0
	for b := range pods/50 + 1 {
		name := fmt.Sprint("budget-", b)
		if n := size[name]; n > 0 {
			allowed[name] = []int{n, min(2, n), 0}[i%3]
			w.budget(name, name, n-allowed[name], n)
			i++
		}
	}
	return free, allowed
}

// A departure is a pod that began to leave.
type departure struct {
	name, app string
	priority  int32
}

// watchDepartures notes which pods begin to leave, in the order in which the API server did it, and ends them as a kubelet
// would.
func (w *world) watchDepartures() (seen func() []departure) {
	w.t.Helper()
	list, err := w.client.CoreV1().Pods(w.namespace).List(w.t.Context(), metav1.ListOptions{})
	w.must(err)
	// The API server ends a watch whose events it can't get rid of fast enough: this one goes on where that ended.
	watching, err := watchtools.NewRetryWatcherWithContext(w.t.Context(), list.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return w.client.CoreV1().Pods(w.namespace).Watch(ctx, o)
		},
	})
	w.must(err)
	var mu sync.Mutex
	var all []departure
	var ending sync.WaitGroup
	ending.Go(func() {
		known := map[string]bool{}
		room := make(chan struct{}, 16)
		for ev := range watching.ResultChan() {
			p, ok := ev.Object.(*corev1.Pod)
			if !ok || ev.Type == watch.Modified && p.DeletionTimestamp == nil || ev.Type != watch.Modified && ev.Type != watch.Deleted || known[p.Name] {
				continue
			}
			known[p.Name] = true
			mu.Lock()
			all = append(all, departure{p.Name, p.Labels["app"], *p.Spec.Priority})
			mu.Unlock()
			ending.Go(func() {
				room <- struct{}{}
				defer func() { <-room }()
				zero := int64(0)
				_ = w.client.CoreV1().Pods(w.namespace).Delete(context.WithoutCancel(w.t.Context()), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero}) // it may be gone
			})
		}
	})
	w.t.Cleanup(func() { watching.Stop(); ending.Wait() })
	return func() []departure {
		mu.Lock()
		defer mu.Unlock()
		return append([]departure(nil), all...)
	}
}

// checkDepartures wants all that no budget keeps to have left, none of a high priority, and no budget to be broken. It
// returns how many left of each budget.
func (w *world) checkDepartures(all []departure, free map[string]int32, allowed map[string]int) (left map[string]int) {
	w.t.Helper()
	left = map[string]int{}
	for _, d := range all {
		if d.priority > highest {
			w.t.Errorf("%s left, of priority %d", d.name, d.priority)
		}
		left[d.app]++
	}
	if left["free"] != len(free) {
		w.t.Errorf("%d pods without a budget left, want %d", left["free"], len(free))
	}
	for name, n := range allowed {
		if left[name] > n {
			w.t.Errorf("%s: %d pods left, want %d at most", name, left[name], n)
		}
	}
	return left
}

// until makes passes until as many pods have left as there are to.
func (w *world) until(e *evict.Evictor, left func() int, want int) (r gpu.Report, passes int) {
	w.t.Helper()
	await(w.t, fmt.Sprint(want, " pods leave"), func(ctx context.Context) (err error) {
		if r, err = e.Pass(ctx, degraded); err == nil && left() < want {
			err = fmt.Errorf("%d have; %s", left(), r)
		}
		passes++
		return err
	})
	return r, passes
}

func total(free map[string]int32, allowed map[string]int) int {
	n := len(free)
	for _, k := range allowed {
		n += k
	}
	return n
}

// TestMany evicts all pods of a degraded region that may be.
func TestMany(t *testing.T) {
	w := newWorld(t)
	free, allowed := w.mix(*manyPods, *manyNodes)
	seen := w.watchDepartures()
	e, count := newEvictor(t, w.plane.Config())
	want := total(free, allowed)
	begun := time.Now()
	first := pass(t, e, degraded)
	took := time.Since(begun)
	t.Logf("%d pods on %d nodes, %d budgets: the first pass evicted %d of %d in %v, by %d evictions asked for, %d patches of nodes, %d reads; %d blocked",
		*manyPods, *manyNodes, len(allowed), len(first.Evicted), want, took, count.evictions.Load(), count.writes.Load(), count.reads.Load(), len(first.Blocked))
	r, passes := w.until(e, func() int { return len(seen()) }, want)
	t.Logf("all %d after %v and %d passes: %d evictions asked for, %d patches of nodes, %d reads, %d others; %s",
		want, time.Since(begun), passes+1, count.evictions.Load(), count.writes.Load(), count.reads.Load(), count.others.Load(), r)
	all := seen()
	left := w.checkDepartures(all, free, allowed)
	for name, n := range allowed {
		if left[name] != n {
			t.Errorf("%s: %d pods left, want %d", name, left[name], n)
		}
	}
	var last int32 = -1 << 31
	for _, d := range all {
		if d.app == "free" && d.priority < last {
			t.Errorf("%s, of priority %d, left after one of %d", d.name, d.priority, last)
		}
		if d.app == "free" {
			last = d.priority
		}
	}
	stuck := 0
	for i := range *manyPods {
		if priorities[i%len(priorities)] <= highest && i%4 == 3 {
			stuck++
		}
	}
	if stuck += len(free) - want; len(r.Blocked) != stuck {
		t.Errorf("%d pods are reported as blocked, want %d", len(r.Blocked), stuck)
	}
	if got := int(count.writes.Load()); got != *manyNodes {
		t.Errorf("got %d patches of nodes, want %d", got, *manyNodes)
	}
}

// TestTwoAtOnce has several instances evict at the same time, and each be stopped at random moments and begin anew.
func TestTwoAtOnce(t *testing.T) {
	const instances = 3
	w := newWorld(t)
	free, allowed := w.mix(*manyPods, *manyNodes)
	seen := w.watchDepartures()
	want := total(free, allowed)
	var running sync.WaitGroup
	for i := range instances {
		running.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			for range 5 {
				e, _ := newEvictor(t, w.plane.Config())
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(int(300*time.Millisecond))))
				_, _ = e.Pass(ctx, degraded) // stopped in the midst, or not
				cancel()
			}
		})
	}
	running.Wait()
	midway := len(seen())
	for range instances - 1 {
		running.Go(func() {
			e, _ := newEvictor(t, w.plane.Config())
			_, _ = e.Pass(t.Context(), degraded) // two patches of one node: one comes too late
		})
	}
	running.Wait()
	e, _ := newEvictor(t, w.plane.Config())
	// Not for those that a budget allows: what was asked for and not done when its client was gone, the controller takes as
	// done for two minutes.
	w.until(e, func() (n int) {
		for _, d := range seen() {
			if d.app == "free" {
				n++
			}
		}
		return n
	}, len(free))
	t.Logf("%d instances, stopped 5 times each: %d of %d pods had left by then", instances, midway, want)
	w.checkDepartures(seen(), free, allowed)
}
