package gpu

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
	"github.com/openova-io/failoverd/layers/kube"
)

// TestLeastPrivilege gives a service account what evictions need, and nothing else: it cordons, evicts and un-cordons.
// Without each of the permissions it says what is missing, and evicts nothing from a node that it could not cordon.
func TestLeastPrivilege(t *testing.T) {
	w := newWorld(t)
	w.must(w.node("node"))
	for i := range 3 {
		w.must(w.pod(fmt.Sprint("job-", i), "node"))
	}
	config := w.plane.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + w.namespace + ":failoverd"}
	client, err := kube.New(config)
	w.must(err)
	e, _ := newEvictor(t, config)
	fatal := evict.Situation{GPUs: []gpu.State{ill("node", gpu.FatalXID)}}
	needed := evict.Permissions()
	for i := range len(needed) + 1 {
		if _, err := e.Pass(t.Context(), fatal); i < 2 && (err == nil || !strings.Contains(err.Error(), "forbidden")) {
			t.Errorf("with %v: got %v, want what is forbidden", needed[:i], err)
		}
		if i < len(needed) && len(w.alive()) != 3 {
			t.Fatalf("with %v: pods have left", needed[:i])
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
	}
	await(t, "all pods leave", func(ctx context.Context) error {
		r, err := e.Pass(ctx, fatal)
		if n := len(w.alive()); err == nil && n > 0 {
			err = fmt.Errorf("%d are there: %s", n, r)
		}
		return err
	})
	pass(t, e, evict.Situation{GPUs: []gpu.State{ill("node")}})
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
