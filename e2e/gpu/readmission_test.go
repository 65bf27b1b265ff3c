package gpu

import (
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
	"github.com/openova-io/failoverd/lease"
)

const gpuQueue = `{stopPolicy: %s, resourceGroups: [{coveredResources: [nvidia.com/gpu], flavors: [{name: h100, resources: [{name: nvidia.com/gpu, nominalQuota: 8}]}]}]}`

func queue(stopPolicy string) string { return strings.ReplaceAll(gpuQueue, "%s", stopPolicy) }

const podSets = `podSets: [{name: main, count: 1, template: {spec: {containers: [{name: job, image: localhost/job}]}}}]`

// TestReadmission has a region degrade and recover that has Kueue and KServe: what would bring pods back is stopped before
// pods leave, unless others have stopped it, a pod of it is to stay, or a budget has a say. All is as it was afterwards, but
// for what others have set meanwhile.
func TestReadmission(t *testing.T) {
	w := newWorld(t)
	w.must(w.node("node"))
	w.must(w.node("elsewhere"))
	_, replicaSet := w.owners()
	o := w.objects()
	label := func(key, value string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) { u.SetLabels(map[string]string{key: value}) }
	}
	workload := func(name string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Annotations = map[string]string{"kueue.x-k8s.io/workload": name} }
	}
	service := func(name string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Labels["serving.kserve.io/inferenceservice"] = name }
	}
	noGPU := func(p *corev1.Pod) { p.Spec.Containers[0].Resources = corev1.ResourceRequirements{} }
	pod := func(name string, change ...func(*corev1.Pod)) types.UID {
		w.must(w.pod(name, "node", change...))
		p, err := w.client.CoreV1().Pods(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
		w.must(err)
		return p.UID
	}

	o.create(clusterQueues, "gpus", queue("None"))
	o.create(clusterQueues, "held", queue("Hold"))
	o.create(clusterQueues, "drained", queue("HoldAndDrain"))
	o.create(clusterQueues, "cpus", strings.ReplaceAll(queue("None"), "nvidia.com/gpu", "cpu"))

	pod("named", workload("named"))
	o.create(workloads, "named", "{"+podSets+"}")
	pod("job", func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{replicaSet} })
	o.create(workloads, "job", "{active: true, "+podSets+"}", label("kueue.x-k8s.io/job-uid", string(replicaSet.UID)))
	plain := pod("plain")
	o.create(workloads, "plain", "{"+podSets+"}", func(u *unstructured.Unstructured) {
		u.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "plain", UID: plain}})
	})
	pod("budgeted", workload("budgeted"))
	pod("budgeted-too", workload("budgeted"))
	o.create(workloads, "budgeted", "{"+podSets+"}")
	pod("mixed", workload("mixed"))
	pod("mixed-important", workload("mixed"), func(p *corev1.Pod) { p.Spec.PriorityClassName = w.class("important", 1001) })
	o.create(workloads, "mixed", "{"+podSets+"}")
	pod("inactive", workload("inactive"))
	o.create(workloads, "inactive", "{active: false, "+podSets+"}")
	o.create(workloads, "queued", "{"+podSets+"}")

	pod("llm", service("llm"))
	pod("llm-transformer", service("llm"), noGPU)
	o.create(inferenceServices, "llm", "{predictor: {minReplicas: 2, maxReplicas: 4, model: {x: y}}, transformer: {}, explainer: {minReplicas: 0}}")
	pod("vital", service("vital"))
	pod("vital-transformer", service("vital"), noGPU)
	o.create(inferenceServices, "vital", "{predictor: {}, transformer: {minReplicas: 1}}")
	pod("synced", service("synced"))
	o.create(inferenceServices, "synced", "{predictor: {minReplicas: 1}}")
	o.create(inferenceServices, "idle", "{predictor: {minReplicas: 3}}")
	w.budget("budgeted", "budgeted", 1, 1)
	w.budget("vital", "vital-transformer", 1, 1)

	var now lease.Instant
	e, count := newEvictor(t, w.plane.Config(), func(c *evict.Config) { c.Now = func() lease.Instant { return now } })
	before := o.texts()
	pass(t, e, evict.Situation{GPUs: []gpu.State{ill("elsewhere", gpu.FatalXID)}})
	checkObjects(t, "the region is well, or not known", o.texts(), before)

	r := pass(t, e, degraded)
	t.Logf("degraded: %s; %d drain", r, r.Draining)
	stopped := map[string]string{
		"clusterqueues gpus": "Hold ours", "clusterqueues held": "Hold", "clusterqueues drained": "HoldAndDrain", "clusterqueues cpus": "None",
		"workloads named": "false ours", "workloads job": "false ours", "workloads plain": "false ours",
		"workloads budgeted": "true", "workloads mixed": "true", "workloads inactive": "false", "workloads queued": "true",
		"inferenceservices llm": "0 0 0 ours", "inferenceservices vital": "1", "inferenceservices synced": "0 ours", "inferenceservices idle": "3",
	}
	checkObjects(t, "degraded", o.stopped(), stopped)
	if len(r.Stopped) != 6 {
		t.Errorf("got %d reported as stopped, want 6: %v", len(r.Stopped), r.Stopped)
	}
	// Pods of a Workload that Kueue takes away are left to it.
	checkAlive := func(when, want string) {
		t.Helper()
		alive := w.alive()
		got := ""
		for _, name := range []string{"named", "job", "plain", "budgeted", "budgeted-too", "mixed", "mixed-important", "inactive", "llm", "llm-transformer", "vital", "synced"} {
			if alive[name] {
				got += name + " "
			}
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", when, got, want)
		}
	}
	checkAlive("degraded", "named job plain budgeted mixed-important llm-transformer ")
	if r.Draining != 3 {
		t.Errorf("got %d pods that drain, want 3", r.Draining)
	}

	// Kueue is down: its pods leave like others. Nothing is written again.
	writes := count.writes.Load()
	now = now.Add(29 * time.Second)
	pass(t, e, degraded)
	checkAlive("Kueue has not had its time", "named job plain budgeted mixed-important llm-transformer ")
	now = now.Add(time.Second)
	pass(t, e, degraded)
	checkAlive("Kueue does nothing", "budgeted mixed-important llm-transformer ")
	if n := count.writes.Load() - writes; n > 0 {
		t.Errorf("got %d writes when all was done, want none", n)
	}

	// Others set what they want: a queue is stopped again as long as there is a reason; what they set last is what comes back.
	o.patch(clusterQueues, "gpus", `{"spec": {"stopPolicy": "None"}}`)
	o.patch(workloads, "plain", `{"spec": {"active": true}}`)
	o.patch(inferenceServices, "synced", `{"spec": {"predictor": {"minReplicas": 5}}}`)
	o.patch(inferenceServices, "llm", `{"spec": {"transformer": null}}`)
	pass(t, e, degraded)
	stopped["workloads plain"], stopped["inferenceservices synced"], stopped["inferenceservices llm"] = "true ours", "5 ours", "0 0 ours"
	checkObjects(t, "others have changed some", o.stopped(), stopped)

	fresh, _ := newEvictor(t, w.plane.Config()) // as after a restart
	unknown := pass(t, fresh, evict.Situation{Region: gpu.Unknown})
	checkObjects(t, "unknown", o.stopped(), stopped)
	if len(unknown.Stopped) != 6 {
		t.Errorf("unknown: got %d reported as stopped, want 6", len(unknown.Stopped))
	}
	well := pass(t, fresh, evict.Situation{Region: gpu.Healthy})
	after := maps.Clone(before)
	after["inferenceservices synced"] = strings.ReplaceAll(after["inferenceservices synced"], `"minReplicas":1`, `"minReplicas":5`)
	after["inferenceservices llm"] = strings.ReplaceAll(after["inferenceservices llm"], `,"transformer":{}`, ``)
	checkObjects(t, "recovered", o.texts(), after)
	if len(well.Stopped) > 0 {
		t.Errorf("recovered: got %v reported as stopped, want none", well.Stopped)
	}
	writes = count.writes.Load()
	pass(t, fresh, evict.Situation{Region: gpu.Healthy})
	if n := count.writes.Load() - writes; n > 0 {
		t.Errorf("got %d writes when all was undone, want none", n)
	}

	// Without its label an object is somebody else's, and what bears an annotation that can't be read is told of.
	o.patch(clusterQueues, "gpus", `{"spec": {"stopPolicy": "Hold"}, "metadata": {"annotations": {"failover.openova.io/gpu-stop": "{\"spec.stopPolicy\":\"None\"}"}}}`)
	pass(t, fresh, evict.Situation{Region: gpu.Healthy})
	checkObjects(t, "no label", o.stopped(), map[string]string{"clusterqueues gpus": "Hold"})
	o.patch(clusterQueues, "gpus", `{"metadata": {"labels": {"failover.openova.io/gpu-stopped": "true"}, "annotations": {"failover.openova.io/gpu-stop": "{"}}}`)
	if _, err := fresh.Pass(t.Context(), evict.Situation{Region: gpu.Healthy}); err == nil || !strings.Contains(err.Error(), "clusterqueues.kueue.x-k8s.io gpus: its annotation failover.openova.io/gpu-stop can't be read") {
		t.Errorf("got %v, want that the annotation can't be read", err)
	}
	checkObjects(t, "an annotation that can't be read", o.stopped(), map[string]string{"clusterqueues gpus": "Hold ours"})
}
