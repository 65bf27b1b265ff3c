package endpoint

import (
	"context"
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers/kube"
)

var (
	services       = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	endpointSlices = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
)

// Permissions are what an endpoint has to be allowed in its Service's namespace.
func Permissions(namespace string) []kube.Permission {
	return []kube.Permission{
		{Group: services.Group, Resource: services.Resource, Verbs: []string{"get"}, Namespaces: []string{namespace}},
		{Group: endpointSlices.Group, Resource: endpointSlices.Resource, Verbs: []string{"create", "get", "update"}, Namespaces: []string{namespace}},
	}
}

const (
	serviceName = "kubernetes.io/service-name"
	managedBy   = "endpointslice.kubernetes.io/managed-by"
)

// lead has the Service lead to this instance alone, and reports whether it did not yet.
func (e *Endpoint) lead(ctx context.Context) (wrote bool, err error) {
	service, err := e.cfg.Client.Resource(services).Namespace(e.cfg.Namespace).Get(ctx, e.cfg.Service, metav1.GetOptions{})
	if err != nil {
		return false, fmt.Errorf("read the Service %s/%s: %w", e.cfg.Namespace, e.cfg.Service, err)
	}
	if selector, _, _ := unstructured.NestedMap(service.Object, "spec", "selector"); len(selector) > 0 {
		return false, fmt.Errorf("the Service %s/%s selects pods, so the cluster leads it to all of them; remove its selector", e.cfg.Namespace, e.cfg.Service)
	}
	in := e.cfg.Client.Resource(endpointSlices).Namespace(e.cfg.Namespace)
	slice, err := in.Get(ctx, e.cfg.Service, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		slice = e.slice(service)
		e.put(slice, service)
		_, err = in.Create(ctx, slice, metav1.CreateOptions{FieldManager: kube.FieldManager})
	case err == nil && slice.GetLabels()[managedBy] != kube.FieldManager:
		return false, fmt.Errorf("the EndpointSlice %s/%s is not failoverd's: its label %s is %q; remove it", e.cfg.Namespace, e.cfg.Service, managedBy, slice.GetLabels()[managedBy])
	case err == nil && !e.put(slice, service):
		return false, nil
	case err == nil:
		_, err = in.Update(ctx, slice, metav1.UpdateOptions{FieldManager: kube.FieldManager})
	}
	if err != nil {
		return false, fmt.Errorf("write the EndpointSlice %s/%s: %w", e.cfg.Namespace, e.cfg.Service, err)
	}
	return true, nil
}

// slice is the EndpointSlice of the Service, which goes when that does.
func (e *Endpoint) slice(service *unstructured.Unstructured) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": endpointSlices.GroupVersion().String(), "kind": "EndpointSlice"}}
	o.SetName(e.cfg.Service)
	o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: e.cfg.Service, UID: service.GetUID()}})
	o.SetLabels(map[string]string{serviceName: e.cfg.Service, managedBy: kube.FieldManager})
	o.Object["addressType"] = "IPv6"
	if e.cfg.Address.Is4() {
		o.Object["addressType"] = "IPv4"
	}
	return o
}

// put makes an EndpointSlice lead to this instance, and reports whether it did not.
func (e *Endpoint) put(slice, service *unstructured.Unstructured) (changed bool) {
	var ports []any
	has, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	for _, p := range has {
		port, _ := p.(map[string]any)
		name, _ := port["name"].(string) // a Service's only port may have none
		ports = append(ports, map[string]any{"name": name, "protocol": port["protocol"], "port": int64(e.cfg.Port)})
	}
	endpoints := []any{map[string]any{
		"addresses":  []any{e.cfg.Address.String()},
		"nodeName":   e.cfg.Node, // for externalTrafficPolicy: Local
		"conditions": map[string]any{"ready": true},
	}}
	changed = !reflect.DeepEqual(slice.Object["endpoints"], endpoints) || !reflect.DeepEqual(slice.Object["ports"], ports)
	slice.Object["endpoints"], slice.Object["ports"] = endpoints, ports
	return changed
}
