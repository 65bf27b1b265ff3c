package controlplane_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// replicated is a Cluster that is the designated primary of two regions, and names each as an external cluster.
const replicated = `{
	"instances": 1, "storage": {"size": "1Gi"},
	"bootstrap": {"pg_basebackup": {"source": "hel"}},
	"externalClusters": [
		{"name": "fsn", "connectionParameters": {"host": "db.fsn.example.com"}},
		{"name": "hel", "connectionParameters": {"host": "db.hel.example.com"}}
	],
	"replica": {"self": "fsn", "primary": "fsn", "source": "hel"}
}`

// demote is the patch of a fenced demotion, which the webhook has to let through.
const demote = `{"metadata": {"annotations": {"cnpg.io/fencedInstances": "[\"*\"]"}}, "spec": {"replica": {"primary": "hel", "source": "hel", "promotionToken": null}}}`

// TestCNPGWebhook patches a designated primary, and a replica, with what CloudNativePG's own webhook lets through and what
// it denies.
func TestCNPGWebhook(t *testing.T) {
	plane := regions.Planes(t)[0]
	resource := newClient(t, plane).Resource(clusters).Namespace(plane.Namespace(t))
	patch := func(name, patch string, subresources ...string) (*unstructured.Unstructured, error) {
		return resource.Patch(t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
	}

	tests := []struct {
		name  string
		setup []string // patches that are let through
		// inProgress is what the operator says in the status while it switches over.
		inProgress bool
		patch      string
		want       string // in the error; empty for none
	}{
		{name: "demote", patch: demote},
		{name: "demote twice", setup: []string{demote}, patch: demote},
		{name: "promote without token", setup: []string{demote}, patch: `{"spec": {"replica": {"primary": "fsn"}}}`},
		{name: "enabled with primary", patch: `{"spec": {"replica": {"enabled": true}}}`,
			want: "replica mode enabled is not compatible with the primary field"},
		{name: "token on a replica", setup: []string{demote}, patch: `{"spec": {"replica": {"promotionToken": "t"}}}`,
			want: "promotionToken is only allowed for primary clusters"},
		{name: "token that is none", setup: []string{demote}, patch: `{"spec": {"replica": {"primary": "fsn", "promotionToken": "t"}}}`,
			want: "Invalid promotionToken"},
		{name: "token with minApplyDelay", setup: []string{demote}, patch: `{"spec": {"replica": {"primary": "fsn", "promotionToken": "t", "minApplyDelay": "1m"}}}`,
			want: "minApplyDelay cannot be applied with a promotion token"},
		{name: "demote during a switchover", inProgress: true, patch: demote,
			want: "ongoing operation"},
		{name: "unknown primary", patch: `{"spec": {"replica": {"primary": "nbg"}}}`,
			want: "External cluster nbg not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := strings.ReplaceAll(strings.ToLower(tt.name), " ", "-")
			cluster := object(t, clusters, "Cluster", name, replicated)
			// Only the webhook is asked here; the operator would clear the status.
			cluster.SetAnnotations(map[string]string{"cnpg.io/reconciliationLoop": "disabled"})
			if _, err := resource.Create(t.Context(), cluster, metav1.CreateOptions{}); err != nil {
				t.Fatalf("create: %v", err)
			}
			for _, p := range tt.setup {
				if _, err := patch(name, p); err != nil {
					t.Fatalf("patch %s: %v", p, err)
				}
			}
			if tt.inProgress {
				if _, err := patch(name, `{"status": {"switchReplicaClusterStatus": {"inProgress": true}}}`, "status"); err != nil {
					t.Fatalf("patch the status: %v", err)
				}
			}
			_, err := patch(name, tt.patch)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("patch %s: %v; want it let through", tt.patch, err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("patch %s: error %v; want %q", tt.patch, err, tt.want)
			}
		})
	}
}

// TestCNPGOperator awaits that the operator takes a new Cluster up, and what becomes of it without a kubelet.
func TestCNPGOperator(t *testing.T) {
	plane := regions.Planes(t)[1]
	resource := newClient(t, plane).Resource(clusters).Namespace(plane.Namespace(t))
	if _, err := resource.Create(t.Context(), object(t, clusters, "Cluster", "pg", `{"instances": 1, "storage": {"size": "1Gi"}}`), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, `phase "Setting up primary"`, func(ctx context.Context) error {
		cluster, err := resource.Get(ctx, "pg", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if phase, _, _ := unstructured.NestedString(cluster.Object, "status", "phase"); phase != "Setting up primary" {
			return errors.New("phase " + phase)
		}
		return nil
	})
}
