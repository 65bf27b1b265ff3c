package cilium

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
)

// The ConfigMap that Cilium's chart makes for its agents.
var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

const (
	configNamespace = "kube-system"
	configMap       = "cilium-config"
	defaultCluster  = "default" // Cilium's name for a cluster of no mesh
)

// nameIn is how long each who is asked for the cluster's name may hold a fence up. It is
// known since Check, if anybody has answered that.
const nameIn = time.Second

// clusterName is this cluster's name in the mesh, empty if nobody tells.
func (l *Layer) clusterName(ctx context.Context) string {
	name, _ := l.findCluster(ctx)
	return name
}

// findCluster asks for the cluster's name until it is known: it never changes.
func (l *Layer) findCluster(ctx context.Context) (string, error) {
	l.nameMu.Lock()
	defer l.nameMu.Unlock()
	if l.name != "" {
		return l.name, nil
	}
	var errs []error
	for _, ask := range []func(context.Context) (string, error){l.agent.cluster, l.configuredCluster} {
		asking, cancel := context.WithTimeout(ctx, nameIn)
		name, err := ask(asking)
		cancel()
		if err == nil {
			err = validName(name)
		}
		if err == nil {
			l.name = name
			return name, nil
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("this cluster's name in the mesh is not known, so a fence denies pods its own cluster too: %w", errors.Join(errs...))
}

func (l *Layer) configuredCluster(ctx context.Context) (string, error) {
	o, err := l.client.Resource(configMaps).Namespace(configNamespace).Get(ctx, configMap, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read the ConfigMap %s/%s: %w", configNamespace, configMap, err)
	}
	name, _, err := unstructured.NestedString(o.Object, "data", "cluster-name")
	if err != nil {
		return "", err
	}
	if name == "" {
		return defaultCluster, nil
	}
	return name, nil
}

func validName(name string) error {
	if name == "" || len(validation.IsValidLabelValue(name)) > 0 {
		return fmt.Errorf("cluster name %q: expected the value of a label", name)
	}
	return nil
}
