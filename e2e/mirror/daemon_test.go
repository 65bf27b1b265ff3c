package mirror

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/agent/mirror"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// TestDaemon has a real daemon show what it does: when it becomes active, and when it ends.
func TestDaemon(t *testing.T) {
	plane := cluster.Planes(t)[0]
	client, namespace := newClient(t, plane.Config()), plane.Namespace(t)
	if _, err := client.Resource(httpRoutes).Namespace(namespace).Create(t.Context(), route(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	times := daemon.ShortTimes("fsn", "hel")
	times.FenceTimeout = 3 * time.Second
	group := daemon.NewGroup(t, daemon.Build(t, true), times, nil)
	fsn, hel := group.Regions[0], group.Regions[1]
	yaml := strings.Replace(fsn.YAML(), "layers:\n", fmt.Sprintf(
		"kubernetes: {kubeconfig: %q, namespace: %s}\nlayers:\n  httproute: {selector: failover=e2e, namespaces: [%[2]s], gateway_delay: 0s}\n", plane.Kubeconfig, namespace), 1)
	if err := os.WriteFile(fsn.ConfigFile(), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	fsn.Start(t)
	hel.Start(t) // not before: it would take, if fsn's start took long
	daemon.Await(t, "a region that is active, and shown", func() bool {
		o := readLease(client, namespace)
		return holder(o) == "fsn" && transitions(o) >= 1 && o.GetAnnotations()["failover.openova.io/state"] == string(lease.Active)
	})
	daemon.Await(t, "an Event about the route that is activated", func() bool { return len(acted(about(t, client, namespace, "shop"), "activate")) == 1 })
	described := kubectl(t, plane, "", "-n", namespace, "describe", "lease", mirror.LeaseName(group.Params.Group))
	for _, want := range []string{"Holder Identity:", "fsn", string(lease.ReasonTaken), lease.ReasonOf(lease.ReasonTaken).Text} {
		if !strings.Contains(described, want) {
			t.Errorf("kubectl describe does not say %q:\n%s", want, described)
		}
	}
	if got := kubectl(t, plane, "", "-n", namespace, "events"); !strings.Contains(got, "HTTPRoute/shop") {
		t.Errorf("kubectl events does not tell of the route:\n%s", got)
	}

	// An alarm, and its end.
	told := func(action, kind string) bool {
		for _, e := range acted(about(t, client, namespace, mirror.LeaseName(group.Params.Group)), action) {
			if text(e, "reason") == string(lease.NoticeWitnessDown) && text(e, "type") == kind {
				return true
			}
		}
		return false
	}
	fsn.Link.Refuse()
	daemon.Await(t, "an Event that the witness is unreachable", func() bool { return told("notice", "Warning") })
	fsn.Link.Heal()
	daemon.Await(t, "an Event that it is no more", func() bool { return told("notice_ended", "Normal") })

	code, out, err := fsn.CLI(t.Context(), "check", "--live")
	if !strings.Contains(out, "ok       the Lease and Events for kubectl: it is allowed") {
		t.Errorf("check --live: exit code %d, %v:\n%s", code, err, out)
	}

	// fsn ends: the route is fenced, and the Lease shows that fsn has given it up.
	if err := fsn.Process().Terminate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	if code, err := fsn.Process().Wait(ctx); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if o := readLease(client, namespace); holder(o) != "" || o.GetAnnotations()["failover.openova.io/state"] != string(lease.Standby) {
		t.Errorf("in the end: got %v, want a standby, and no holder", o)
	}
	fenced := false
	for _, e := range acted(about(t, client, namespace, "shop"), "fence") {
		fenced = fenced || text(e, "reason") == string(lease.ReasonReleased)
	}
	if !fenced {
		t.Errorf("no Event tells that the route was fenced:\n%s", kubectl(t, plane, "", "-n", namespace, "events"))
	}
}

// acted are the Events of an action.
func acted(all []unstructured.Unstructured, action string) (of []unstructured.Unstructured) {
	for _, e := range all {
		if text(e, "action") == action {
			of = append(of, e)
		}
	}
	return of
}

func route() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"name": "shop", "labels": map[string]any{"failover": "e2e"}},
		"spec": map[string]any{"rules": []any{map[string]any{
			"backendRefs": []any{map[string]any{"name": "shop", "port": int64(80)}},
		}}},
	}}
}
