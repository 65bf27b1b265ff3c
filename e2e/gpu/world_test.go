package gpu

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var region = controlplane.Share(1, controlplane.Options{ControllerManager: true, CRDs: []controlplane.CRDs{controlplane.Kueue, controlplane.KServe}})

func TestMain(m *testing.M) { os.Exit(region.Main(m)) }

// limit is far above what anything here takes: two busy cores.
const limit = 3 * time.Minute

const nvidia = corev1.ResourceName("nvidia.com/gpu")

// A world is a namespace with nodes of its own; evictors of it see only its pods' labels.
type world struct {
	t         *testing.T
	plane     *controlplane.Plane
	client    *kubernetes.Clientset
	namespace string
}

func newWorld(t *testing.T) *world { return on(t, region.Planes(t)[0]) }

// on is a world on a plane.
func on(t *testing.T, plane *controlplane.Plane) *world {
	t.Helper()
	config := plane.Config()
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t, plane, client, plane.Namespace(t)}
	t.Cleanup(w.clean)
	return w
}

// clean takes nodes and pods away: other tests would see them.
func (w *world) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	zero := int64(0)
	pods, err := w.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{})
	w.must(err)
	w.must(controlplane.AtOnce(len(pods.Items), func(i int) error {
		p := &pods.Items[i]
		if len(p.Finalizers) > 0 {
			p.Finalizers = nil
			if _, err := w.client.CoreV1().Pods(w.namespace).Update(ctx, p, metav1.UpdateOptions{}); err != nil {
				return err
			}
		}
		_ = w.client.CoreV1().Pods(w.namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &zero}) // it may be gone
		return nil
	}))
	w.must(w.client.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// node makes a node with eight GPUs.
func (w *world) node(name string, change ...func(*corev1.Node)) error {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	n.Status.Allocatable = corev1.ResourceList{nvidia: resource.MustParse("8")}
	n.Status.Capacity = n.Status.Allocatable
	for _, c := range change {
		c(n)
	}
	_, err := w.client.CoreV1().Nodes().Create(w.t.Context(), n, metav1.CreateOptions{})
	return err
}

// class makes sure that there is a PriorityClass, and that the API server takes pods of it: its admission learns of one only a
// moment after it was made. It returns the name.
func (w *world) class(name string, priority int32) string {
	_, err := w.client.SchedulingV1().PriorityClasses().Create(w.t.Context(), &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Value: priority}, metav1.CreateOptions{})
	if err != nil && !strings.Contains(err.Error(), "already exists") {
		w.t.Fatal(err)
	}
	trial := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "trial-"},
		Spec:       corev1.PodSpec{PriorityClassName: name, Containers: []corev1.Container{{Name: "job", Image: "localhost/job"}}},
	}
	for begun := time.Now(); ; <-time.After(10 * time.Millisecond) {
		_, err := w.client.CoreV1().Pods(w.namespace).Create(w.t.Context(), trial, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil {
			return name
		}
		if time.Since(begun) > time.Minute {
			w.t.Fatalf("no pod of PriorityClass %s: %v", name, err)
		}
	}
}

// pod makes a pod that asks for a GPU, on a node, running and ready.
func (w *world) pod(name, node string, change ...func(*corev1.Pod)) error {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Name: "job", Image: "localhost/job", Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{nvidia: resource.MustParse("1")}},
		}}},
	}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	for _, c := range change {
		c(p)
	}
	made, err := w.client.CoreV1().Pods(w.namespace).Create(w.t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	made.Status = p.Status
	_, err = w.client.CoreV1().Pods(w.namespace).UpdateStatus(w.t.Context(), made, metav1.UpdateOptions{})
	return err
}

// owners makes a DaemonSet and a ReplicaSet, and returns how pods name them. No controller acts on them; without them the
// garbage collector would take their pods.
func (w *world) owners() (daemonSet, replicaSet metav1.OwnerReference) {
	w.t.Helper()
	match := map[string]string{"app": "owner"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: match}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "job", Image: "localhost/job"}}}}
	d, err := w.client.AppsV1().DaemonSets(w.namespace).Create(w.t.Context(), &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "owner"}, Spec: appsv1.DaemonSetSpec{Selector: &metav1.LabelSelector{MatchLabels: match}, Template: template},
	}, metav1.CreateOptions{})
	w.must(err)
	r, err := w.client.AppsV1().ReplicaSets(w.namespace).Create(w.t.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "owner"}, Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: match}, Template: template},
	}, metav1.CreateOptions{})
	w.must(err)
	return *metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("DaemonSet")), *metav1.NewControllerRef(r, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
}

// budget makes a disruption budget for the pods with a label, and waits until the controller has counted them.
func (w *world) budget(name, app string, least int, pods int) {
	w.t.Helper()
	n := intstr.FromInt(least)
	_, err := w.client.PolicyV1().PodDisruptionBudgets(w.namespace).Create(w.t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       policyv1.PodDisruptionBudgetSpec{MinAvailable: &n, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
	}, metav1.CreateOptions{})
	w.must(err)
	await(w.t, "budget "+name+" counts its pods", func(ctx context.Context) error {
		b, err := w.client.PolicyV1().PodDisruptionBudgets(w.namespace).Get(ctx, name, metav1.GetOptions{})
		if err == nil && int(b.Status.CurrentHealthy) != pods {
			err = errors.New(b.Status.String())
		}
		return err
	})
}

// alive are the pods of the world that are there and not terminating.
func (w *world) alive() map[string]bool {
	w.t.Helper()
	list, err := w.client.CoreV1().Pods(w.namespace).List(w.t.Context(), metav1.ListOptions{})
	w.must(err)
	out := map[string]bool{}
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			out[p.Name] = true
		}
	}
	return out
}

// calls count what is asked of the API server.
type calls struct{ reads, writes, evictions, others atomic.Int64 }

func (c *calls) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/eviction"):
			c.evictions.Add(1)
		case r.Method == http.MethodGet:
			c.reads.Add(1)
		case r.Method == http.MethodPatch:
			c.writes.Add(1)
		default:
			c.others.Add(1)
		}
		return next.RoundTrip(r)
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var began = time.Now()

func sinceBegan() lease.Instant { return lease.Instant(time.Since(began)) }

func newEvictor(t *testing.T, config *rest.Config, change ...func(*evict.Config)) (*evict.Evictor, *calls) {
	t.Helper()
	count := &calls{}
	config.Wrap(count.wrap)
	client, err := kube.New(config)
	if err != nil {
		t.Fatal(err)
	}
	c := evict.Config{
		MaxPriority: 1000, GracePeriod: 30 * time.Second, Log: hclog.NewNullLogger(), Now: sinceBegan,
	}
	for _, f := range change {
		f(&c)
	}
	e, err := evict.New(client, c)
	if err != nil {
		t.Fatal(err)
	}
	return e, count
}

// ill is a GPU of a node that is unhealthy for a cause; none: one that is healthy.
func ill(node string, causes ...gpu.Cause) gpu.State {
	s := gpu.State{Device: gpu.Device{Node: node}, Condition: gpu.Healthy}
	for _, c := range causes {
		s.Condition = gpu.Unhealthy
		s.Causes = append(s.Causes, gpu.CauseState{Cause: c})
	}
	return s
}

var degraded = evict.Situation{Region: gpu.Unhealthy}

// pass makes one pass.
func pass(t *testing.T, e *evict.Evictor, s evict.Situation) gpu.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	r, err := e.Pass(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// await asks until a condition has no error.
func await(t *testing.T, what string, condition func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not after %v: %v", what, limit, err)
		}
	}
}
