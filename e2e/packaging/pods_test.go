package packaging_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

var httpRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// An installed chart is the chart as Helm has installed it for fsn, with a route, and the nodes that run its pods. It is of a group with hel, an
// agent on a host.
type installed struct {
	t          *testing.T
	plane      *controlplane.Plane
	client     kubernetes.Interface
	namespace  string
	values     string // the file
	set        *appsv1.DaemonSet
	group      *daemon.Group
	network    string // the first three numbers of the nodes' addresses
	nodes      []*node
	httpRoutes dynamic.ResourceInterface
}

// newInstalled installs the chart, and has nodes run its pods.
func newInstalled(t *testing.T, nodes int) *installed {
	t.Helper()
	plane := cluster.Planes(t)[0]
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	r := &installed{t: t, plane: plane, client: client, namespace: plane.Namespace(t)}
	binaries := daemon.Build(t, false)
	if out, err := run(t, "env", "CGO_ENABLED=0", "go", "build", "-C", root, "-buildvcs=false", "-o", binaries.Daemon, "./cmd/failoverd"); err != nil { // as it is in the image
		t.Fatalf("%v\n%s", err, out)
	}
	r.network = fmt.Sprintf("127.%d.%d.", 100+rand.IntN(100), rand.IntN(256))
	params := daemon.DefaultTimes("fsn", "hel")
	params.TTL, params.RenewInterval, params.RetryInterval, params.PollInterval = 10*time.Second, 3*time.Second, 300*time.Millisecond, 300*time.Millisecond
	params.RequestTimeout, params.FenceTimeout = 2*time.Second, 2*time.Second
	nobody := []string{r.network + "1:53", r.network + "2:53", r.network + "3:53"}
	r.group = daemon.NewGroup(t, binaries, params, &daemon.Quorum{
		Zone: "failover.example.com", Timeout: time.Second,
		Listen:    map[lease.Region]string{"fsn": ":5353", "hel": r.network + "9:5353"},
		Resolvers: map[lease.Region][]string{"fsn": nobody, "hel": nobody},
	})
	r.prepare()
	r.install()
	for range nodes {
		n := r.addNode()
		n.run(r.set)
	}
	r.group.Regions[1].Start(t) // hel, when all pods wait for it, and not before: it would take
	return r
}

// addNode adds a node that runs nothing yet.
func (r *installed) addNode() *node {
	r.t.Helper()
	i := len(r.nodes) + 1
	n := &node{t: r.t, name: fmt.Sprintf("worker-%d", i), podIP: fmt.Sprintf("10.9.0.%d", i), listen: fmt.Sprintf("%s%d", r.network, 10+i), root: r.t.TempDir(),
		plane: r.plane, client: r.client, namespace: r.namespace}
	for name, from := range map[string]string{"failoverd": r.group.Binaries.Daemon, "proc/sys/kernel/random/boot_id": "/proc/sys/kernel/random/boot_id"} {
		data, err := os.ReadFile(from)
		n.must(err)
		n.must(os.MkdirAll(filepath.Dir(filepath.Join(n.root, name)), 0o755))
		n.must(os.WriteFile(filepath.Join(n.root, name), data, 0o755))
	}
	r.t.Cleanup(func() {
		if n.process == nil {
			return
		}
		if err := n.process.Kill(); err != nil {
			r.t.Error(err)
		}
		if _, stderr := n.process.Output(); r.t.Failed() {
			r.t.Logf("%s:\n%s", n.name, stderr)
		}
	})
	r.nodes = append(r.nodes, n)
	return n
}

// prepare makes what the chart's user has: values, a Secret, a route.
func (r *installed) prepare() {
	t := r.t
	t.Helper()
	fsn := r.group.Regions[0]
	var config map[string]any
	r.must(sigsyaml.Unmarshal([]byte(fsn.YAML()), &config))
	for _, path := range []string{"api", "state_dir", "identity.private_key_file", "witness.cloudflare_kv.api_token_file", "layers.hooks"} {
		unstructured.RemoveNestedField(config, strings.Split(path, ".")...)
	}
	config["instances"] = map[string]any{"term_duration": "1s"}
	config["layers"] = map[string]any{"httproute": map[string]any{"selector": "failover=e2e", "namespaces": []string{r.namespace}, "gateway_delay": "0s"}}
	values, err := sigsyaml.Marshal(map[string]any{"config": config, "image": map[string]any{"repository": "failoverd"}})
	r.must(err)
	r.values = filepath.Join(t.TempDir(), "values.yaml")
	r.must(os.WriteFile(r.values, values, 0o600))
	kubectl(t, r.plane, "", "-n", r.namespace, "create", "secret", "generic", "failoverd", "--from-file=region.key="+fsn.KeyFile(), "--from-file=cloudflare-token="+fsn.Path("token"))
	dyn, err := dynamic.NewForConfig(r.plane.Config())
	r.must(err)
	r.httpRoutes = dyn.Resource(httpRoutes).Namespace(r.namespace)
	_, err = r.httpRoutes.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"name": "shop", "labels": map[string]any{"failover": "e2e"}},
		"spec":     map[string]any{"rules": []any{map[string]any{"backendRefs": []any{map[string]any{"name": "shop", "port": int64(80)}}}}},
	}}, metav1.CreateOptions{})
	r.must(err)
}

// install has Helm install the chart.
func (r *installed) install() {
	r.t.Helper()
	helmOn(r.t, r.plane, r.namespace, "install", "failoverd", chart, "-f", r.values)
	var err error
	r.set, err = r.client.AppsV1().DaemonSets(r.namespace).Get(r.t.Context(), "failoverd", metav1.GetOptions{})
	r.must(err)
	if u := r.set.Spec.UpdateStrategy.RollingUpdate; u == nil || u.MaxUnavailable.IntValue() != 1 || u.MaxSurge.IntValue() != 0 {
		r.t.Errorf("it is updated by %+v, want one at a time, each after the one before has ended", r.set.Spec.UpdateStrategy)
	}
}

// settled waits until one pod acts, and the Service leads there.
func (r *installed) settled() (acts *node, epoch uint64) {
	r.t.Helper()
	r.nodes[0].await("one pod that acts, to which the Service leads", func() bool {
		acts = nil
		for _, n := range r.nodes {
			if s := n.status(); s.State == lease.Active && s.Instance.Confirmed && s.AllLayers("active") {
				acts, epoch = n, s.Epoch
			}
		}
		slice, err := r.client.DiscoveryV1().EndpointSlices(r.namespace).Get(r.t.Context(), "failoverd-dns", metav1.GetOptions{})
		return acts != nil && err == nil && len(slice.Endpoints) == 1 && slice.Endpoints[0].Addresses[0] == acts.podIP && *slice.Endpoints[0].NodeName == acts.name
	})
	return acts, epoch
}

func (r *installed) route() *unstructured.Unstructured {
	r.t.Helper()
	o, err := r.httpRoutes.Get(r.t.Context(), "shop", metav1.GetOptions{})
	r.must(err)
	return o
}

// fenced reports whether the route leads to nobody.
func (r *installed) fenced() bool {
	r.t.Helper()
	rules, _, err := unstructured.NestedSlice(r.route().Object, "spec", "rules")
	r.must(err)
	backends, _, err := unstructured.NestedSlice(rules[0].(map[string]any), "backendRefs")
	r.must(err)
	return len(backends) == 1 && backends[0].(map[string]any)["name"] == "failoverd-fence"
}

func (r *installed) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// TestPods has three nodes run what the chart makes of a region of several instances, with the rights that it gives them, and updates
// them one after the other: the region goes on, and the Service for questions leads to the pod that acts.
func TestPods(t *testing.T) {
	r := newInstalled(t, 3)
	acts, epoch := r.settled()
	before := r.route().GetGeneration()
	if leader := acts.status().Instance.Leader; !strings.HasPrefix(leader, acts.name+"_") {
		t.Errorf("the instance that acts is called %q, want the name of its node, %s, and its own identity", leader, acts.name)
	}
	leaders := []string{acts.name}
	for range 2 {
		for _, n := range r.nodes { // maxUnavailable 1, maxSurge 0
			n.stop(r.set)
			n.run(r.set)
		}
		next, e := r.settled()
		if e != epoch {
			t.Errorf("after an update the region holds authority for epoch %d, want %d", e, epoch)
		}
		leaders = append(leaders, next.name)
	}
	if after := r.route().GetGeneration(); after != before {
		t.Errorf("the route was written: generation %d, then %d", before, after)
	}
	history, err := r.group.Regions[1].History()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range history {
		if h.To == lease.Active || h.To == lease.Candidate {
			t.Errorf("hel became %s: %s", h.To, h.Reason)
		}
	}
	t.Logf("two updates of three pods: epoch %d all the time; acting were %v", epoch, leaders)
}

// TestUninstall uninstalls the chart while its pod is active: that is told to stop when Helm has deleted all that it deletes, and
// fences and hands over all the same. Installed again, it has its rights.
func TestUninstall(t *testing.T) {
	r := newInstalled(t, 1)
	r.settled()
	helmOn(t, r.plane, r.namespace, "uninstall", "failoverd")
	r.nodes[0].stop(r.set)
	if !r.fenced() {
		t.Errorf("the route is not fenced: %v", r.route().Object["spec"])
	}
	if _, err := r.client.CoreV1().Services(r.namespace).Get(t.Context(), "failoverd-dns", metav1.GetOptions{}); err != nil {
		t.Errorf("nobody could ask the agent that stops whether it has handed over: %v", err)
	}
	r.install()
	r.nodes[0].run(r.set)
}

// TestFenceJob has the agent die, and its Secret be gone, so that no pod of it can be started, and does what the runbook says, of which
// another node runs the pod.
func TestFenceJob(t *testing.T) {
	r := newInstalled(t, 1)
	r.settled()
	r.must(r.nodes[0].process.Kill())
	r.must(r.client.CoreV1().Secrets(r.namespace).Delete(t.Context(), "failoverd", metav1.DeleteOptions{}))
	for range 2 { // the second time there is one from before
		for _, command := range commands(t, r.plane, r.namespace, "docs/runbooks/FailoverdDown.md", "delete job ", "create job ") {
			if out, err := run(t, command...); err != nil {
				t.Fatalf("%q: %v\n%s", command, err, out)
			}
		}
	}
	job, err := r.client.BatchV1().Jobs(r.namespace).Get(t.Context(), "fence", metav1.GetOptions{})
	r.must(err)
	if labels := job.Spec.Template.Labels; labels["app.kubernetes.io/name"] == r.set.Spec.Template.Labels["app.kubernetes.io/name"] {
		t.Errorf("the Job's pod has the labels %v, by which Services would lead to it", labels)
	}
	n := r.addNode()
	n.start(job.Spec.Template.Spec)
	ctx, cancel := context.WithTimeout(t.Context(), podLimit)
	defer cancel()
	if code, err := n.process.Wait(ctx); err != nil || code != 0 {
		t.Errorf("the Job's pod ended with exit code %d, %v", code, err)
	}
	if !r.fenced() {
		t.Errorf("the route is not fenced: %v", r.route().Object["spec"])
	}
}
