package httproute

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers/kube"
)

// fenceService is the name of the Service without endpoints, and of its empty
// EndpointSlice. Some gateways answer 500 and not 503 where there is no slice at all,
// or where the Service lacks the port that a route names.
const fenceService = "failoverd-fence"

var (
	services       = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	endpointSlices = schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
)

// A port is one of the fence Service.
type port struct {
	protocol string // TCP or UDP
	number   int64
}

// ensureService sees to it that a namespace has the fence Service, with some ports,
// and its slice. Ports that it has besides stay.
func ensureService(ctx context.Context, c *kube.Client, namespace string, ports []port) error {
	if err := ensureSlice(ctx, c, namespace); err != nil {
		return fmt.Errorf("the EndpointSlice %s in %s: %w", fenceService, namespace, err)
	}
	for {
		again, err := ensurePorts(ctx, c, namespace, ports)
		if err != nil {
			return fmt.Errorf("the Service %s in %s: %w", fenceService, namespace, err)
		}
		if !again {
			return nil
		}
	}
}

// ensurePorts creates or updates the Service, and reports whether somebody else has
// done so meanwhile.
func ensurePorts(ctx context.Context, c *kube.Client, namespace string, ports []port) (again bool, err error) {
	in := c.Resource(services).Namespace(namespace)
	service, err := in.Get(ctx, fenceService, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		service = owned("v1", "Service", namespace)
		service.Object["spec"] = map[string]any{"type": "ClusterIP"}
		addPorts(service, ports)
		_, err = in.Create(ctx, service, metav1.CreateOptions{FieldManager: kube.FieldManager})
		return apierrors.IsAlreadyExists(err), ignore(err, apierrors.IsAlreadyExists)
	}
	if err != nil {
		return false, err
	}
	if _, selects, _ := unstructured.NestedMap(service.Object, "spec", "selector"); selects {
		return false, fmt.Errorf("it selects pods, so it is no fence; remove it, the name is failoverd's")
	}
	if !addPorts(service, ports) {
		return false, nil
	}
	_, err = in.Update(ctx, service, metav1.UpdateOptions{FieldManager: kube.FieldManager})
	return apierrors.IsConflict(err), ignore(err, apierrors.IsConflict)
}

func ensureSlice(ctx context.Context, c *kube.Client, namespace string) error {
	in := c.Resource(endpointSlices).Namespace(namespace)
	slice, err := in.Get(ctx, fenceService, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		slice = owned("discovery.k8s.io/v1", "EndpointSlice", namespace)
		slice.SetLabels(map[string]string{
			"kubernetes.io/service-name":             fenceService,
			"endpointslice.kubernetes.io/managed-by": kube.FieldManager,
		})
		slice.Object["addressType"] = "IPv4"
		slice.Object["endpoints"], slice.Object["ports"] = []any{}, []any{}
		_, err = in.Create(ctx, slice, metav1.CreateOptions{FieldManager: kube.FieldManager})
		return ignore(err, apierrors.IsAlreadyExists)
	}
	if err != nil {
		return err
	}
	if endpoints, _, _ := unstructured.NestedSlice(slice.Object, "endpoints"); len(endpoints) > 0 {
		return fmt.Errorf("it has endpoints, so it is no fence; remove it, the name is failoverd's")
	}
	return nil
}

func owned(apiVersion, kind, namespace string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
	o.SetName(fenceService)
	o.SetNamespace(namespace)
	o.SetLabels(map[string]string{"app.kubernetes.io/managed-by": kube.FieldManager})
	return o
}

// addPorts adds those that a Service lacks, and reports whether it lacked any.
func addPorts(service *unstructured.Unstructured, ports []port) bool {
	has, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
	added := false
	for _, p := range ports {
		if !slices.ContainsFunc(has, func(h any) bool {
			m, _ := h.(map[string]any)
			return m["port"] == p.number && m["protocol"] == p.protocol
		}) {
			has = append(has, map[string]any{"name": fmt.Sprintf("port-%d-%s", p.number, lower(p.protocol)), "port": p.number, "protocol": p.protocol})
			added = true
		}
	}
	if added {
		_ = unstructured.SetNestedSlice(service.Object, has, "spec", "ports") // it fails for a spec that is no object, which has no ports to add
	}
	return added
}

func lower(protocol string) string {
	if protocol == "UDP" {
		return "udp"
	}
	return "tcp"
}

func ignore(err error, is func(error) bool) error {
	if is(err) {
		return nil
	}
	return err
}
