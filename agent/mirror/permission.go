package mirror

import (
	"slices"

	"github.com/openova-io/failoverd/layers/kube"
)

// Permissions are what a mirror has to be allowed, whose Lease is in one namespace and whose
// Events are in some: in all if there are none.
func Permissions(namespace string, eventsIn []string) []kube.Permission {
	where := slices.Compact(slices.Sorted(slices.Values(eventsIn)))
	return []kube.Permission{
		{Group: leases.Group, Resource: leases.Resource, Verbs: []string{"create", "get", "update"}, Namespaces: []string{namespace}},
		{Group: events.Group, Resource: events.Resource, Verbs: []string{"create", "patch"}, Namespaces: where},
	}
}
