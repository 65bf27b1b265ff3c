package gpu

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
	"github.com/openova-io/failoverd/layers/kube"
)

// TestLeastPrivilege gives a service account what evictions need, and nothing else: it cordons, evicts and un-cordons.
// Without each of the permissions it says what is missing, and evicts nothing from a node that it could not cordon. What
// stops objects of others holds no eviction up.
func TestLeastPrivilege(t *testing.T) {
	w := newWorld(t)
	w.must(w.node("node"))
	for i := range 3 {
		w.must(w.pod(fmt.Sprint("job-", i), "node", func(p *corev1.Pod) { p.Annotations = map[string]string{"kueue.x-k8s.io/workload": "jobs"} }))
	}
	o := w.objects()
	o.create(clusterQueues, "gpus", queue("None"))
	o.create(workloads, "jobs", "{"+podSets+"}")
	config := w.plane.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + w.namespace + ":failoverd"}
	client, err := kube.New(config)
	w.must(err)
	e, _ := newEvictor(t, config)
	needed := evict.Permissions()
	const evictions = 3 // of the permissions have pods leave
	for i := range len(needed) + 1 {
		_, err := e.Pass(t.Context(), degraded)
		if i < len(needed) && (err == nil || !strings.Contains(err.Error(), "forbidden")) {
			t.Errorf("with %v: got %v, want what is forbidden", needed[:i], err)
		}
		if i == len(needed) && err != nil {
			t.Errorf("with all: %v", err)
		}
		if left := 3 - len(w.alive()); i < evictions && left > 0 {
			t.Fatalf("with %v: %d pods have left", needed[:i], left)
		}
		if i == len(needed) {
			break
		}
		text, err := kube.Manifest("failoverd-e2e", kube.ServiceAccount{Namespace: w.namespace, Name: "failoverd"}, needed[:i+1])
		w.must(err)
		kubectl(t, w.plane, text)
		await(t, "the API server knows of the role", func(ctx context.Context) error {
			denied, err := client.Denied(ctx, needed[i])
			if err == nil && len(denied) > 0 {
				err = fmt.Errorf("denied: %v", denied)
			}
			return err
		})
		if i+1 == evictions {
			await(t, "all pods leave", func(ctx context.Context) error {
				r, _ := e.Pass(ctx, degraded)
				if n := len(w.alive()); n > 0 {
					return fmt.Errorf("%d are there: %s", n, r)
				}
				return nil
			})
		}
	}
	checkObjects(t, "with all", o.stopped(), map[string]string{"clusterqueues gpus": "Hold ours", "workloads jobs": "true"})
	w.must(w.pod("late", "node", func(p *corev1.Pod) { p.Annotations = map[string]string{"kueue.x-k8s.io/workload": "jobs"} }))
	pass(t, e, degraded)
	checkObjects(t, "one more", o.stopped(), map[string]string{"workloads jobs": "false ours"})
	pass(t, e, evict.Situation{Region: gpu.Healthy})
	checkObjects(t, "recovered", o.stopped(), map[string]string{"clusterqueues gpus": "None", "workloads jobs": "true"})
	if r := pass(t, e, evict.Situation{}); len(r.Nodes) > 0 {
		t.Errorf("well again: got %s, want the node to be un-cordoned", r)
	}
}

func kubectl(t *testing.T, plane *controlplane.Plane, manifest string) {
	t.Helper()
	program, err := controlplane.Binary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "--kubeconfig", plane.Kubeconfig, "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s\nof:\n%s", err, out, manifest)
	}
}
