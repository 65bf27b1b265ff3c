package gpu

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
	"github.com/openova-io/failoverd/lease"
)

// TestHostile evicts from nodes with all that is odd on them: what leaves, leaves by eviction, and the rest stays, each for
// its reason. Somebody else's cordon is as it was afterwards.
func TestHostile(t *testing.T) {
	w := newWorld(t)
	w.must(w.node("mine"))
	w.must(w.node("theirs", func(n *corev1.Node) { n.Spec.Unschedulable = true }))
	w.must(w.node("other"))
	daemonSet, replicaSet := w.owners()
	owner := func(o metav1.OwnerReference) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{o} }
	}
	noGPU := func(p *corev1.Pod) { p.Spec.Containers[0].Resources = corev1.ResourceRequirements{} }
	leave := map[string]func(*corev1.Pod){
		"bare":      func(*corev1.Pod) {},
		"owned":     owner(replicaSet),
		"finalizer": func(p *corev1.Pod) { p.Finalizers = []string{"example.com/never"} },
		"pending":   func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} },
		"init": func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "localhost/init", Resources: p.Spec.Containers[0].Resources}}
			noGPU(p)
		},
		"mig": func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"nvidia.com/mig-1g.10gb": resource.MustParse("1")}
		},
	}
	stay := map[string]func(*corev1.Pod){
		"web": noGPU,
		"zero": func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{nvidia: resource.MustParse("0")}
		},
		"daemonset": owner(daemonSet),
		"mirror":    func(p *corev1.Pod) { p.Annotations = map[string]string{"kubernetes.io/config.mirror": "x"} },
		"done":      func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded },
		"important": func(p *corev1.Pod) { p.Spec.PriorityClassName = w.class("important", 1001) },
		"two":       func(p *corev1.Pod) {}, // two budgets select it, which the API server can't evict by
		"kept":      func(p *corev1.Pod) {}, // its budget never lets it go
	}
	for _, node := range []string{"mine", "theirs", "other"} {
		for _, all := range []map[string]func(*corev1.Pod){leave, stay} {
			for name, change := range all {
				w.must(w.pod(node+"-"+name, node, change))
			}
		}
	}
	for _, node := range []string{"mine", "theirs"} {
		w.budget(node+"-kept", node+"-kept", 1, 1)
		w.budget(node+"-two-a", node+"-two", 0, 1)
		w.budget(node+"-two-b", node+"-two", 0, 1)
	}
	var now lease.Instant
	e, count := newEvictor(t, w.plane.Config(), func(c *evict.Config) { c.Now = func() lease.Instant { return now } })
	situation := evict.Situation{Region: gpu.Unknown, GPUs: []gpu.State{ill("mine", gpu.FatalXID), ill("theirs", gpu.UncorrectableErrors), ill("other")}}

	// Nothing known: nothing done.
	pass(t, e, evict.Situation{Region: gpu.Unknown, GPUs: []gpu.State{{Device: gpu.Device{Node: "mine"}, Condition: gpu.Unknown}}})
	if n := count.writes.Load() + count.evictions.Load() + count.others.Load(); n > 0 {
		t.Errorf("got %d writes while nothing is known, want none", n)
	}
	if got := len(w.alive()); got != 3*(len(leave)+len(stay)) {
		t.Errorf("%d pods are there, want all", got)
	}

	r := pass(t, e, situation)
	alive := w.alive()
	for _, node := range []string{"mine", "theirs", "other"} {
		for name := range leave {
			if want := node == "other"; alive[node+"-"+name] != want {
				t.Errorf("%s on %s: there is %v, want %v", name, node, !want, want)
			}
		}
		for name := range stay {
			if !alive[node+"-"+name] {
				t.Errorf("%s on %s is gone", name, node)
			}
		}
	}
	if len(r.Evicted) != 2*len(leave) {
		t.Errorf("got %d evicted, want %d", len(r.Evicted), 2*len(leave))
	}
	blocked, budgets := map[string]string{}, map[string]string{}
	for _, b := range r.Blocked {
		blocked[b.Name], budgets[b.Name] = b.Why, b.Budget
	}
	if want := map[string]string{"mine-kept": "mine-kept", "theirs-kept": "theirs-kept", "mine-two": "", "theirs-two": ""}; !maps.Equal(budgets, want) {
		t.Errorf("got them blocked by budgets %v, want %v", budgets, want)
	}
	if len(blocked) != 4 || !strings.Contains(blocked["mine-kept"], "budget mine-kept needs 1 healthy pods and has 1") || !strings.Contains(blocked["theirs-two"], "more than one PodDisruptionBudget") {
		t.Errorf("blocked: %v", blocked)
	}
	t.Logf("report: %s", r)
	t.Logf("left: %v", r.Kept)
	cordons := func(want string) {
		t.Helper()
		got := ""
		for _, name := range []string{"mine", "theirs", "other"} {
			n, err := w.client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
			w.must(err)
			got += fmt.Sprintf("%s %v %q; ", name, n.Spec.Unschedulable, n.Annotations["failover.openova.io/gpu-cordon"])
		}
		if got != want {
			t.Errorf("got %s want %s", got, want)
		}
	}
	cordons(`mine true "gpu"; theirs true ""; other false ""; `)

	// Those that are blocked are not asked for again before their time, which doubles, and nothing is written.
	for _, step := range []struct {
		after time.Duration
		want  int64
	}{{0, 0}, {time.Second, 4}, {time.Second, 0}, {time.Second, 4}} {
		evictions, writes := count.evictions.Load(), count.writes.Load()
		now = now.Add(step.after)
		pass(t, e, situation)
		if got := count.evictions.Load() - evictions; got != step.want || count.writes.Load() != writes {
			t.Errorf("at %v: %d evictions, want %d, and %d writes, want none", now, got, step.want, count.writes.Load()-writes)
		}
	}

	// A person takes the cordon away while there is a reason for it: it comes back. Unknown keeps it; well takes it away.
	n, err := w.client.CoreV1().Nodes().Get(t.Context(), "mine", metav1.GetOptions{})
	w.must(err)
	n.Spec.Unschedulable = false
	_, err = w.client.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{})
	w.must(err)
	pass(t, e, situation)
	fresh, _ := newEvictor(t, w.plane.Config()) // as after a restart
	pass(t, fresh, evict.Situation{Region: gpu.Unknown})
	cordons(`mine true "gpu"; theirs true ""; other false ""; `)
	well := evict.Situation{Region: gpu.Healthy, GPUs: []gpu.State{ill("mine"), ill("theirs"), ill("other")}}
	tight, _ := newEvictor(t, w.plane.Config(), func(c *evict.Config) { c.Budget = 15 })
	t.Logf("budget of 15 GPUs: %s", pass(t, tight, well))
	cordons(`mine true "gpu"; theirs true ""; other false ""; `)
	enough, _ := newEvictor(t, w.plane.Config(), func(c *evict.Config) { c.Budget = 16 })
	t.Logf("budget of 16 GPUs: %s", pass(t, enough, well))
	cordons(`mine false ""; theirs true ""; other false ""; `)
	if n := count.others.Load(); n > 0 {
		t.Errorf("got %d calls that are neither reads, patches of nodes nor evictions", n)
	}
}

// TestOtherName has a GPU be of a node that the cluster has under another name: that nothing is done for it is said.
func TestOtherName(t *testing.T) {
	w := newWorld(t)
	w.must(w.node("gpu-1"))
	w.must(w.pod("job", "gpu-1"))
	e, _ := newEvictor(t, w.plane.Config())
	r, err := e.Pass(t.Context(), evict.Situation{GPUs: []gpu.State{ill("gpu-1"), ill("dcgm-exporter-6ldbb", gpu.FatalXID)}})
	if err == nil || !strings.Contains(err.Error(), "no node dcgm-exporter-6ldbb") || !strings.Contains(err.Error(), "set gpu.node") || len(r.Nodes) > 0 {
		t.Errorf("got %+v, %v; want an error that names the node and gpu.node", r, err)
	}
	pass(t, e, evict.Situation{GPUs: []gpu.State{ill("gpu-1"), ill("dcgm-exporter-6ldbb")}}) // well, it matters to nobody
}

// TestOneByOne has pods leave a GPU whose memory is full one by one.
func TestOneByOne(t *testing.T) {
	w := newWorld(t)
	w.must(w.node("full"))
	for i := range 4 {
		w.must(w.pod(fmt.Sprint("job-", i), "full", func(p *corev1.Pod) { p.Spec.PriorityClassName = w.class(fmt.Sprint("p", 3-i), int32(3-i)) }))
	}
	w.budget("last", "job-3", 1, 1)
	e, _ := newEvictor(t, w.plane.Config())
	full := evict.Situation{GPUs: []gpu.State{ill("full", gpu.MemoryPressure)}}
	var order []string
	for range 3 { // the lowest can't leave; the one above does, and then nothing until it has had time to show
		for _, p := range pass(t, e, full).Evicted {
			order = append(order, p.Name)
		}
	}
	if got := strings.Join(order, " "); got != "job-2" {
		t.Errorf("evicted %s, want job-2 alone", got)
	}
}
