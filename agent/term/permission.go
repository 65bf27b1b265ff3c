package term

import "github.com/openova-io/failoverd/layers/kube"

// Permission is what a register has to be allowed in its namespace.
func Permission(namespace string) kube.Permission {
	return kube.Permission{Group: leases.Group, Resource: leases.Resource, Verbs: []string{"create", "get", "update"}, Namespaces: []string{namespace}}
}
