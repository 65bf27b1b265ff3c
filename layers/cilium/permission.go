package cilium

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers/kube"
)

// Permissions are for the Services, the ServiceExports though the cluster may not have
// them, the policy, and the ConfigMap that names the cluster.
func (l *Layer) Permissions() []kube.Permission {
	return []kube.Permission{
		l.services.Permissions(),
		kube.NewSet(l.client, exports(exportVersions[0]), l.config.Selector, l.config.Namespaces).Permissions(),
		{Group: policies.Group, Resource: policies.Resource, Verbs: []string{"create", "delete", "get", "list", "update", "watch"}},
		{Group: configMaps.Group, Resource: configMaps.Resource, Verbs: []string{"get"}, Namespaces: []string{configNamespace}},
	}
}

// exports are ServiceExports in a version.
func exports(version string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "multicluster.x-k8s.io", Version: version, Resource: "serviceexports"}
}
