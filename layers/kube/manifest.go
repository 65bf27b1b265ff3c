package kube

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"
)

// A ServiceAccount is what permissions are given to.
type ServiceAccount struct{ Namespace, Name string }

// The shape of the objects of RBAC, as far as a manifest needs it.
type (
	role struct {
		APIVersion string   `yaml:"apiVersion"`
		Kind       string   `yaml:"kind"`
		Metadata   metadata `yaml:"metadata"`
		Rules      []rule   `yaml:"rules"`
	}
	metadata struct {
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace,omitempty"`
	}
	rule struct {
		APIGroups []string `yaml:"apiGroups,flow"`
		Resources []string `yaml:"resources,flow"`
		Verbs     []string `yaml:"verbs,flow"`
	}
	binding struct {
		APIVersion string            `yaml:"apiVersion"`
		Kind       string            `yaml:"kind"`
		Metadata   metadata          `yaml:"metadata"`
		RoleRef    map[string]string `yaml:"roleRef"`
		Subjects   []subject         `yaml:"subjects"`
	}
	subject struct {
		Kind      string `yaml:"kind"`
		Name      string `yaml:"name"`
		Namespace string `yaml:"namespace"`
	}
)

const rbac = "rbac.authorization.k8s.io"

// Manifest is the RBAC objects that give a service account exactly some permissions:
// one role, and its binding, for each namespace, and one of the whole cluster for what
// is to be had everywhere.
func Manifest(name string, account ServiceAccount, permissions []Permission) (string, error) {
	rules := map[string][]rule{} // by namespace; "" for the cluster
	for _, p := range Merge(permissions) {
		namespaces := p.Namespaces
		if len(namespaces) == 0 {
			namespaces = []string{""}
		}
		for _, ns := range namespaces {
			rules[ns] = append(rules[ns], rule{[]string{p.Group}, []string{p.Resource}, p.Verbs})
		}
	}
	var namespaces []string
	for ns := range rules {
		namespaces = append(namespaces, ns)
	}
	slices.Sort(namespaces)
	text := ""
	for _, ns := range namespaces {
		kind := "Role"
		if ns == "" {
			kind = "ClusterRole"
		}
		at := metadata{name, ns}
		for _, object := range []any{
			role{rbac + "/v1", kind, at, rules[ns]},
			binding{
				rbac + "/v1", kind + "Binding", at,
				map[string]string{"apiGroup": rbac, "kind": kind, "name": name},
				[]subject{{"ServiceAccount", account.Name, account.Namespace}},
			},
		} {
			document, err := yaml.Marshal(object)
			if err != nil {
				return "", fmt.Errorf("print the %s: %w", kind, err)
			}
			text += "---\n" + string(document)
		}
	}
	return text, nil
}
