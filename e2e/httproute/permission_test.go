package httproute

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// TestLeastPrivilege gives a service account what the layer says that it needs, and nothing else: it does all that it is for.
// Then it takes one verb after the other away: it is named, and what does not need it still works.
func TestLeastPrivilege(t *testing.T) {
	plane := controlplane.Start(t, 1, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})[0]
	home, namespace := plane.Namespace(t), plane.Namespace(t)
	_, admin := newLayer(t, plane.Config())
	create(t, admin, namespace, 5)
	account := kube.ServiceAccount{Namespace: home, Name: "failoverd"}
	config := plane.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + home + ":failoverd"}
	layer, client := newLayer(t, config, namespace)

	needed := kube.Merge(layer.Permissions())
	allow := func(permissions []kube.Permission) {
		t.Helper()
		text, err := kube.Manifest("failoverd-e2e", account, permissions)
		if err != nil {
			t.Fatal(err)
		}
		kubectl(t, plane, text, "apply", "-f", "-")
	}
	if err := layer.Fence(t.Context(), order(1)); err == nil || !strings.Contains(err.Error(), "cannot list resource") {
		t.Fatalf("without any permission: got %v, want what is not allowed", err)
	}
	allow(needed)
	for _, p := range needed {
		awaitDenied(t, client, p)
	}
	if err := layer.Check(t.Context()); err != nil {
		t.Error(err)
	}
	keeper(t, layer) // it watches, too
	if state, err := layer.Observe(t.Context()); err != nil || state != layers.Inactive {
		t.Errorf("fenced: observed %s, %v", state, err)
	}
	log := watchBackends(t, admin, namespace)
	original := route(namespace, 0)
	got, err := admin.Resource(httpRoutes).Namespace(namespace).Get(t.Context(), original.GetName(), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	original.SetResourceVersion(got.GetResourceVersion())
	if _, err := admin.Resource(httpRoutes).Namespace(namespace).Update(t.Context(), original, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	log.await(t, original.GetName(), 0)

	for i, p := range needed {
		for j, verb := range p.Verbs {
			less := slices.Clone(needed)
			less[i].Verbs = slices.Delete(slices.Clone(p.Verbs), j, j+1)
			allow(less)
			awaitDenied(t, client, p, verb+" in "+namespace)
		}
	}
	less := slices.Clone(needed)
	i := slices.IndexFunc(less, func(p kube.Permission) bool { return p.Resource == "httproutes" })
	less[i].Verbs = []string{"get", "list", "watch"}
	allow(less)
	awaitDenied(t, client, needed[i], "update in "+namespace)
	err = layer.Activate(t.Context(), order(2))
	if err == nil || !strings.Contains(err.Error(), "5 of 5 httproutes are left") || !strings.Contains(err.Error(), "cannot update resource") {
		t.Errorf("without update: got %v, want what is left, and why", err)
	}
}

// awaitDenied waits until exactly some verbs are denied: the API server takes a moment to learn of a role.
func awaitDenied(t *testing.T, client *kube.Client, p kube.Permission, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		denied, err := client.Denied(ctx, p)
		if err == nil && slices.Equal(denied, want) {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: denied %v, %v; want %v", p.Resource, denied, err, want)
		}
	}
}

func kubectl(t *testing.T, plane *controlplane.Plane, stdin string, args ...string) {
	t.Helper()
	program, err := controlplane.Binary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--kubeconfig", plane.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %v: %v\n%s\nof:\n%s", args, err, out, stdin)
	}
}
