package cnpg

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/layers/kube"
)

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// askTimeout is how long an instance has to answer.
const askTimeout = 2 * time.Second

// instances are the pods of Clusters, which are asked through the API server.
type instances struct {
	client *kube.Client
	pods   *kube.Set
	http   rest.Interface
}

func newInstances(client *kube.Client, namespaces []string) (*instances, error) {
	http, err := rest.UnversionedRESTClientFor(dynamic.ConfigFor(client.Config))
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	return &instances{client, kube.NewSet(client, pods, "cnpg.io/podRole=instance", namespaces), http}, nil
}

// permissions are what asking takes.
func (i *instances) permissions() []kube.Permission {
	namespaces := i.pods.Permissions().Namespaces
	return []kube.Permission{
		{Resource: "pods", Verbs: []string{"delete", "list"}, Namespaces: namespaces},
		{Resource: "pods/proxy", Verbs: []string{"get"}, Namespaces: namespaces},
	}
}

// of are the pods of one Cluster that run PostgreSQL, or are to.
func (i *instances) of(ctx context.Context, c cluster) ([]unstructured.Unstructured, error) {
	list, err := i.client.Resource(pods).Namespace(c.GetNamespace()).List(ctx, metav1.ListOptions{
		LabelSelector: "cnpg.io/podRole=instance,cnpg.io/cluster=" + c.GetName(),
	})
	if err != nil {
		return nil, fmt.Errorf("list its pods: %w", err)
	}
	return list.Items, nil
}

// all are the pods of all Clusters in the namespaces, by Cluster.
func (i *instances) all(ctx context.Context) (map[string][]unstructured.Unstructured, error) {
	list, err := i.pods.List(ctx)
	by := map[string][]unstructured.Unstructured{}
	for _, pod := range list {
		key := pod.GetNamespace() + "/" + pod.GetLabels()["cnpg.io/cluster"]
		by[key] = append(by[key], *pod)
	}
	return by, err
}

// ask asks the manager of an instance how its PostgreSQL is.
func (i *instances) ask(ctx context.Context, namespace, pod string) (instance, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var answer instance
	result := i.http.Get().AbsPath("/api/v1/namespaces", namespace, "pods", "https:"+pod+":8000", "proxy", "pg", "status").Do(ctx)
	if err := result.Error(); err != nil { // which is said better there than by Raw
		return answer, fmt.Errorf("ask instance %s: %w", pod, err)
	}
	data, _ := result.Raw()
	if err := json.Unmarshal(data, &answer); err != nil {
		return answer, fmt.Errorf("ask instance %s: it does not answer as CloudNativePG does: %w", pod, err)
	}
	return answer, nil
}

// runs reports whether the container of PostgreSQL runs in a pod, as its node says.
func runs(pod *unstructured.Unstructured) bool {
	switch phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase"); phase {
	case "Succeeded", "Failed":
		return false
	}
	list, _, _ := unstructured.NestedFieldNoCopy(pod.Object, "status", "containerStatuses")
	statuses, _ := list.([]any)
	for _, e := range statuses {
		status, _ := e.(map[string]any)
		if status["name"] == "postgres" {
			state, _ := status["state"].(map[string]any)
			_, running := state["running"]
			return running
		}
	}
	return false // it has not been started
}
