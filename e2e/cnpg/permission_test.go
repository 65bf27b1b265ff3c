package cnpg_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/layers/cnpg"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// TestLeastPrivilege gives a service account what the layer says that it needs, and nothing else. Here instances are asked
// through the API server itself, which knows none: it says so where asking is allowed, and that it is not where it isn't.
func TestLeastPrivilege(t *testing.T) {
	w, fsn, _ := newWorld(t)
	fsn.create("db", "fsn", nil)
	daemon.Await(w.t, "it has a primary instance", func() bool { return text(fsn.get("db"), "status", "currentPrimary") != "" })
	if err := fsn.admin.Resource(pods).Namespace(fsn.Namespace).Delete(t.Context(), "db-1", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}); err != nil {
		t.Fatal(err)
	}
	plane := planes.Planes(t)[0]
	config := plane.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + fsn.Namespace + ":failoverd"}
	client, err := kube.New(config)
	if err != nil {
		t.Fatal(err)
	}
	layer, err := cnpg.New(client, fsn, cnpg.Config{Selector: "group=rtz", Namespaces: []string{fsn.Namespace}})
	if err != nil {
		t.Fatal(err)
	}
	needed := kube.Merge(layer.Permissions())
	allow := func(permissions []kube.Permission) {
		t.Helper()
		manifest, err := kube.Manifest("failoverd-e2e-cnpg", kube.ServiceAccount{Namespace: fsn.Namespace, Name: "failoverd"}, permissions)
		if err != nil {
			t.Fatal(err)
		}
		kubectl(t, plane, manifest, "apply", "-f", "-")
	}
	awaitDenied := func(p kube.Permission, want ...string) {
		t.Helper()
		daemon.Await(w.t, "the API server knows of the role", func() bool {
			denied, err := client.Denied(t.Context(), p)
			return err == nil && slices.Equal(denied, want)
		})
	}

	if err := layer.Fence(t.Context(), fsn.order(1, lease.ReasonStarting)); err == nil || !strings.Contains(err.Error(), "cannot list resource") {
		t.Fatalf("without any permission: got %v, want what is not allowed", err)
	}
	allow(needed)
	for _, p := range needed {
		awaitDenied(p)
	}
	if err := layer.Check(t.Context()); err != nil {
		t.Error(err)
	}
	fsn.until(layer.Fence, fsn.order(1, lease.ReasonStarting))
	if _, err := layer.Observe(t.Context()); err != nil {
		t.Error(err)
	}
	activate := func(want string) {
		t.Helper()
		daemon.Await(w.t, "activation says "+want, func() bool {
			err := layer.Activate(t.Context(), fsn.order(2, lease.ReasonTaken))
			return err != nil && strings.Contains(err.Error(), want)
		})
	}
	activate(`ask instance db-1: pods "db-1" not found`)

	for i, p := range needed {
		if p.Resource == "pods/proxy" {
			less := slices.Delete(slices.Clone(needed), i, i+1)
			kubectl(t, plane, "", "-n", fsn.Namespace, "delete", "roles,rolebindings", "--all")
			allow(less)
			awaitDenied(p, "get in "+fsn.Namespace)
			activate("cannot get resource \"pods/proxy\"")
		}
	}
}

func kubectl(t *testing.T, plane *controlplane.Plane, stdin string, args ...string) {
	t.Helper()
	program, err := controlplane.Binary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"--kubeconfig", plane.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl %v: %v\n%s\nof:\n%s", args, err, out, stdin)
	}
}
