//go:build datapath

package datapath_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openova-io/failoverd/e2e/clusters"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/cilium"
	"github.com/openova-io/failoverd/layers/kube"
)

func TestMain(m *testing.M) { os.Exit(clusters.Main(m)) }

const (
	// limit is for one condition, or one order. It is no measure of anything: it only ends a test that hangs.
	limit = 3 * time.Minute

	lookAgain = 50 * time.Millisecond

	group    = "e2e"
	selector = "failover.openova.io/group=" + group
)

// A region is one with Cilium, and the layer of its failoverd.
type region struct {
	*clusters.Region
	number int
	layer  *cilium.Layer
	client kubernetes.Interface
	epoch  uint64
}

// prepare has a region's node be one for Cilium: with a bpf file system, and a cgroup of version 2, which the agent attaches
// programs to, with all of the node's processes in it. What the agent would set for the whole machine it sets in files.
const prepare = `
mkdir -p ciliumrun /run/cilium
mount --bind ciliumrun /run/cilium
mkdir -p /run/cilium/cgroupv2
cgroup=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1)/CGROUP
mkdir -p "$cgroup/node"
echo $$ >"$cgroup/node/cgroup.procs"
mount --bind "$cgroup" /run/cilium/cgroupv2
mount -t bpf bpf /sys/fs/bpf
for sysctl in kernel/unprivileged_bpf_disabled kernel/timer_migration; do
	file=sysctl/$(basename $sysctl)
	[ -e "$file" ] || cat /proc/sys/$sysctl >"$file"
	mount --bind "$file" /proc/sys/$sysctl
done
mount --bind "$bin/datapath/cni" /usr/lib/cni
`

// newRegions starts both regions with a mesh between them, and the pods.
func newRegions(t *testing.T) (fsn, hel *region) {
	t.Helper()
	bin, err := filepath.Abs("../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "datapath/.failoverd-sha256")); err != nil {
		t.Fatalf("%v; run e2e/datapath/setup.sh", err)
	}
	script, err := filepath.Abs("cilium.sh")
	if err != nil {
		t.Fatal(err)
	}
	network := func(tb testing.TB, r *clusters.Region) {
		number, peer := 1, "hel=10.90.0.2"
		if r.Name == "hel" {
			number, peer = 2, "fsn=10.90.0.1"
		}
		console, err := os.Create(r.Path("log/cilium"))
		if err != nil {
			tb.Fatal(err)
		}
		defer console.Close()
		// It dies with the region.
		cmd := r.Command(context.Background(), script, r.Dir, bin, r.IP, fmt.Sprint(number), peer)
		cmd.Stdout, cmd.Stderr = console, console
		if err := cmd.Start(); err != nil {
			tb.Fatal(err)
		}
	}
	begun := time.Now()
	up := clusters.Up(t, clusters.Options{Network: network, Prepare: prepare})
	var regions []*region
	for i, r := range up {
		regions = append(regions, newRegion(t, r, i+1))
	}
	fsn, hel = regions[0], regions[1]
	for _, r := range regions {
		r.createPods(t, bin)
	}
	for _, r := range regions {
		for _, name := range []string{"app", "db", "client"} {
			r.Await(t, "its pod "+name+" is Ready", func(ctx context.Context) error {
				pod, err := r.client.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
				if err == nil && !isReady(pod) {
					err = fmt.Errorf("it is not: %s", pod.Status.Phase)
				}
				return err
			})
		}
		r.Await(t, "its agent finds nothing wrong", func(ctx context.Context) error {
			return cilium.Health(ctx, r.socket())
		})
	}
	t.Logf("both regions have their pods and a mesh after %.1f s", time.Since(begun).Seconds())
	return fsn, hel
}

func newRegion(t *testing.T, r *clusters.Region, number int) *region {
	t.Helper()
	client, err := kube.New(r.Config())
	if err != nil {
		t.Fatal(err)
	}
	n := &region{Region: r, number: number, client: r.Client(t)}
	n.layer, err = cilium.New(client, cilium.Config{
		Group: group, Selector: selector, Socket: n.socket(), StaticPolicies: r.Path("static-policies"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (r *region) socket() string { return r.Path("ciliumrun/cilium.sock") }

// order is the next one, under an epoch above all before.
func (r *region) order() layers.Order {
	r.epoch++
	return layers.Order{Group: group, Region: "fsn", Epoch: r.epoch}
}

// createPods creates an application, a database and a client that is of no group, and the application's global Service.
func (r *region) createPods(t *testing.T, bin string) {
	t.Helper()
	var all strings.Builder
	for name, more := range map[string]string{"app": selector, "db": selector + ",cnpg.io/cluster=db", "client": "none=none"} {
		labels := strings.ReplaceAll(strings.ReplaceAll(more, "=", ": "), ",", ", ")
		fmt.Fprintf(&all, `---
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, namespace: default, labels: {app: %[1]s, %[2]s}}
spec:
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  enableServiceLinks: false
  volumes: [{name: bin, hostPath: {path: %[4]q}}]
  containers:
  - name: peer
    image: localhost/pause:e2e
    imagePullPolicy: Never
    command: [/peer/peer, %[3]s-%[1]s]
    volumeMounts: [{name: bin, mountPath: /peer, readOnly: true}]
    readinessProbe: {httpGet: {port: 8080, path: /healthz}, periodSeconds: 1, failureThreshold: 3, timeoutSeconds: 1}
    livenessProbe: {httpGet: {port: 8080, path: /healthz}, periodSeconds: 1, failureThreshold: 15, timeoutSeconds: 1} # on a busy machine a pod is slow, and not ill
`, name, labels, r.Name, filepath.Join(bin, "datapath"))
	}
	fmt.Fprintf(&all, `---
apiVersion: v1
kind: Service
metadata:
  name: app
  namespace: default
  labels: {failover.openova.io/group: %s}
  annotations: {service.cilium.io/global: "true"}
spec:
  type: NodePort
  selector: {app: app}
  ports: [{name: app, port: 9090, nodePort: %d}]
`, group, nodePort)
	r.Await(t, "the API server takes its pods", func(ctx context.Context) error { // the service account is made by a controller
		_, err := r.client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	r.Kubectl(t, all.String(), "apply", "--filename", "-")
}

const nodePort = 30909

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (r *region) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pod, err := r.client.CoreV1().Pods("default").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return pod
}

// address is where a pod answers.
func (r *region) address(t *testing.T, name string) string {
	t.Helper()
	return net.JoinHostPort(r.pod(t, name).Status.PodIP, "9090")
}

// service is where the application's Service answers in this region.
func (r *region) service(t *testing.T) string {
	t.Helper()
	s, err := r.client.CoreV1().Services("default").Get(t.Context(), "app", metav1.GetOptions{})
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return net.JoinHostPort(s.Spec.ClusterIP, "9090")
}

// ask sends a request to what a pod answers on port 8080, from its node, as the kubelet does: that is never denied.
func (r *region) ask(ctx context.Context, podIP, path string) (io.ReadCloser, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: r.Dial}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(podIP, "8080")+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// probes is how many probes of the kubelet a pod has answered.
func (r *region) probes(t *testing.T, podIP string) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	body, err := r.ask(ctx, podIP, "/probes")
	if err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&n); err != nil {
		t.Fatalf("%s: %v", r.Name, err)
	}
	return n
}

// starts is how often something was started in a region.
func (r *region) starts(t *testing.T, program string) int {
	t.Helper()
	text, err := os.ReadFile(r.Path("log/starts"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), program+"\n")
}

// stopAPI ends the region's API server, and has it not start again before startAPI.
func (r *region) stopAPI(t *testing.T) {
	t.Helper()
	if err := os.Rename(r.Path("pki/api.crt"), r.Path("pki/api.away")); err != nil {
		t.Fatal(err)
	}
	// In the process namespace of the region there is no other.
	out, err := r.Command(t.Context(), "sh", "-c", `for p in /proc/[0-9]*; do
		case $(readlink $p/exe) in */kube-apiserver) kill -9 ${p#/proc/};; esac; done`).CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil {
		t.Fatalf("%s: end the API server: %v (%T): %s", r.Name, err, exit, out)
	}
}

func (r *region) startAPI(t *testing.T) {
	t.Helper()
	if err := os.Rename(r.Path("pki/api.away"), r.Path("pki/api.crt")); err != nil {
		t.Fatal(err)
	}
	r.Await(t, "its API server answers again", func(ctx context.Context) error {
		return r.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}
