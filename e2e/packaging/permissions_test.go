package packaging_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// grants are what RBAC objects allow a service account: "verb resource.group in namespace".
func grants(t *testing.T, all []*unstructured.Unstructured) map[string]bool {
	t.Helper()
	type key struct{ kind, namespace, name string }
	roles := map[key][]rbacv1.PolicyRule{}
	granted := map[string]bool{}
	for _, o := range all {
		if o.GetKind() == "Role" || o.GetKind() == "ClusterRole" {
			var role rbacv1.Role // a ClusterRole's rules are in the same place
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &role); err != nil {
				t.Fatal(err)
			}
			roles[key{o.GetKind(), o.GetNamespace(), o.GetName()}] = role.Rules
		}
	}
	for _, o := range all {
		kind, ok := strings.CutSuffix(o.GetKind(), "Binding")
		if !ok {
			continue
		}
		var binding rbacv1.RoleBinding
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &binding); err != nil {
			t.Fatal(err)
		}
		if want := (rbacv1.Subject{Kind: "ServiceAccount", Name: "failoverd", Namespace: namespace}); !slices.Equal(binding.Subjects, []rbacv1.Subject{want}) {
			t.Errorf("%s %s is for %v, want %v", o.GetKind(), o.GetName(), binding.Subjects, want)
		}
		rules, ok := roles[key{binding.RoleRef.Kind, o.GetNamespace(), binding.RoleRef.Name}]
		if !ok || binding.RoleRef.Kind != kind {
			t.Errorf("%s %s is for a role that is not there: %v", o.GetKind(), o.GetName(), binding.RoleRef)
		}
		for _, r := range rules {
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					for _, verb := range r.Verbs {
						granted[fmt.Sprintf("%s %s.%s in %q", verb, resource, group, o.GetNamespace())] = true
					}
				}
			}
		}
	}
	return granted
}

// TestPermissions compares what the chart allows the agent with what failoverd rbac prints for the same configuration. The chart's
// part is in files/permissions.yaml.
func TestPermissions(t *testing.T) {
	failoverd := filepath.Join(t.TempDir(), "failoverd")
	if out, err := run(t, "go", "build", "-C", root, "-buildvcs=false", "-o", failoverd, "./cmd/failoverd"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, sections := range cases {
		t.Run(name, func(t *testing.T) {
			all, file := render(t, aboveOf(sections), sections)
			text, err := run(t, failoverd, "rbac", "--config", file, "--namespace", namespace, "--service-account", "failoverd")
			if err != nil {
				t.Fatalf("failoverd rbac: %v\n%s", err, text)
			}
			got, want := grants(t, all), grants(t, objects(t, text))
			// What is had in the whole cluster need not be had in a namespace too.
			for grant := range want {
				if what, _, ok := strings.Cut(grant, " in "); ok && got[what+` in ""`] {
					got[grant] = true
				}
			}
			for grant := range got {
				if what, _, ok := strings.Cut(grant, " in "); ok && want[what+` in ""`] {
					want[grant] = true
				}
			}
			for _, grant := range slices.Sorted(maps.Keys(want)) {
				if !got[grant] {
					t.Errorf("permissions.yaml does not allow: %s", grant)
				}
			}
			for _, grant := range slices.Sorted(maps.Keys(got)) {
				if !want[grant] {
					t.Errorf("permissions.yaml allows, and the agent does not need: %s", grant)
				}
			}
		})
	}
}
