package cilium

import "github.com/openova-io/failoverd/layers/kube"

// Permissions are for the Services, the ServiceExports though the cluster may not have
// them, the policy, and the ConfigMap that names the cluster.
func (l *Layer) Permissions() []kube.Permission {
	return []kube.Permission{
		l.services.Permissions(),
		l.exports.Permissions(),
		{Group: policies.Group, Resource: policies.Resource, Verbs: []string{"create", "delete", "get", "list", "update", "watch"}},
		{Group: configMaps.Group, Resource: configMaps.Resource, Verbs: []string{"get"}, Namespaces: []string{configNamespace}},
	}
}
