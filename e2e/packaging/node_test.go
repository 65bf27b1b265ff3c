package packaging_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
)

// podLimit is far above what anything here takes: two busy cores.
const podLimit = 2 * time.Minute

// A node plays the kubelet of one, for the chart's pods. A pod is a process in a root of its own, with what the pod's specification
// mounts there, and no capability but to enter that root. What it does not have is a network of its own: the configuration's
// listen addresses get the node's.
type node struct {
	t         *testing.T
	name      string
	podIP     string // as it is told; the API server takes no loopback there
	listen    string // where it listens
	root      string // of its pod; what is a hostPath stays there
	plane     *controlplane.Plane
	client    kubernetes.Interface
	namespace string
	process   *daemon.Process
}

// run runs a pod of a DaemonSet as it is in the API server, until it is ready.
func (n *node) run(set *appsv1.DaemonSet) {
	n.t.Helper()
	n.start(set.Spec.Template.Spec)
	container := set.Spec.Template.Spec.Containers[0]
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe} {
		n.await("its page "+probe.HTTPGet.Path, func() bool { _, code := n.get(probe.HTTPGet.Path); return code == http.StatusOK })
	}
}

// start starts a pod.
func (n *node) start(spec corev1.PodSpec) {
	n.t.Helper()
	container := spec.Containers[0]
	mounts := map[string]string{}
	for _, m := range container.VolumeMounts {
		mounts[m.Name] = filepath.Join(n.root, m.MountPath)
	}
	for _, v := range spec.Volumes {
		at := mounts[v.Name]
		if v.HostPath == nil {
			n.must(os.RemoveAll(at))
		} else if want := corev1.HostPathDirectoryOrCreate; *v.HostPath.Type != want {
			n.t.Fatalf("the volume %s is of type %s, want %s", v.Name, *v.HostPath.Type, want)
		}
		n.must(os.MkdirAll(at, 0o755))
		switch {
		case v.ConfigMap != nil:
			m, err := n.client.CoreV1().ConfigMaps(n.namespace).Get(n.t.Context(), v.ConfigMap.Name, metav1.GetOptions{})
			n.must(err)
			for name, text := range m.Data {
				text = strings.NewReplacer("listen: :9713", "listen: "+n.listen+":9713", "listen: :5353", "listen: "+n.listen+":5353").Replace(text)
				n.must(os.WriteFile(filepath.Join(at, name), []byte(text), 0o644))
			}
		case v.Secret != nil:
			s, err := n.client.CoreV1().Secrets(n.namespace).Get(n.t.Context(), v.Secret.SecretName, metav1.GetOptions{})
			if v.Secret.Optional == nil || !*v.Secret.Optional || !apierrors.IsNotFound(err) {
				n.must(err)
			}
			for name, data := range s.Data {
				n.must(os.WriteFile(filepath.Join(at, name), data, os.FileMode(*v.Secret.DefaultMode)))
			}
		}
	}
	env := n.account(spec.ServiceAccountName)
	values := map[string]string{"spec.nodeName": n.name, "status.podIP": n.podIP}
	var expand []string
	for _, e := range container.Env {
		expand = append(expand, "$("+e.Name+")", values[e.ValueFrom.FieldRef.FieldPath])
	}
	argv := append([]string{"env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, env...)
	argv = append(argv, "setpriv", "--no-new-privs", "--clear-groups", "--inh-caps=-all")
	if user := *spec.SecurityContext.RunAsUser; user == 0 {
		argv = append(argv, "--bounding-set=-all,+sys_chroot", "chroot")
	} else {
		n.give(user, *spec.SecurityContext.FSGroup, spec.Volumes, mounts)
		argv = append(argv, "--bounding-set=-all,+sys_chroot,+setuid,+setgid", "chroot", // which are lost with the user
			fmt.Sprintf("--userspec=%d:%d", user, *spec.SecurityContext.RunAsGroup), fmt.Sprintf("--groups=%d", *spec.SecurityContext.FSGroup))
	}
	argv = append(argv, n.root, "/failoverd")
	for _, arg := range container.Args {
		argv = append(argv, strings.NewReplacer(expand...).Replace(arg))
	}
	var err error
	n.process, err = daemon.StartProcess(argv...)
	n.must(err)
}

// give gives a pod's user its token, and its group what is the pod's own.
func (n *node) give(user, group int64, volumes []corev1.Volume, mounts map[string]string) {
	n.t.Helper()
	for _, file := range []string{"token", "ca.crt", "namespace"} {
		n.must(os.Chown(filepath.Join(n.root, tokenFolder, file), int(user), int(group)))
	}
	for _, v := range volumes {
		if v.HostPath != nil {
			n.t.Fatalf("the pod has %s of its node, which the kubelet makes for root, and runs as user %d", v.HostPath.Path, user)
		}
		if v.EmptyDir != nil {
			n.must(os.Chown(mounts[v.Name], 0, int(group)))
			n.must(os.Chmod(mounts[v.Name], 0o775))
		}
	}
}

// tokenFolder is where a pod has its service account.
const tokenFolder = "var/run/secrets/kubernetes.io/serviceaccount"

// account gives the pod what its service account has, and returns its environment.
func (n *node) account(name string) (env []string) {
	n.t.Helper()
	token, err := n.client.CoreV1().ServiceAccounts(n.namespace).CreateToken(n.t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	n.must(err)
	config := n.plane.Config()
	at := filepath.Join(n.root, tokenFolder)
	n.must(os.MkdirAll(at, 0o755))
	for file, data := range map[string][]byte{"token": []byte(token.Status.Token), "ca.crt": config.CAData, "namespace": []byte(n.namespace)} {
		n.must(os.WriteFile(filepath.Join(at, file), data, 0o600))
	}
	host, port, err := net.SplitHostPort(strings.TrimPrefix(config.Host, "https://"))
	n.must(err)
	return []string{"KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port}
}

// stop stops the pod, within the time that it has for that.
func (n *node) stop(set *appsv1.DaemonSet) {
	n.t.Helper()
	n.must(n.process.Terminate())
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Duration(*set.Spec.Template.Spec.TerminationGracePeriodSeconds)*time.Second)
	defer cancel()
	if code, err := n.process.Wait(ctx); err != nil || code != 0 {
		n.t.Fatalf("the pod on %s stopped with exit code %d, %v", n.name, code, err)
	}
}

// get asks for a page of the pod.
func (n *node) get(page string) (body []byte, code int) {
	response, err := (&http.Client{Timeout: 2 * time.Second}).Get("http://" + net.JoinHostPort(n.listen, "9713") + page)
	if err != nil {
		return nil, 0
	}
	defer response.Body.Close()
	body, _ = io.ReadAll(response.Body)
	return body, response.StatusCode
}

func (n *node) status() (s daemon.Status) {
	body, _ := n.get("/status")
	_ = json.Unmarshal(body, &s) // what is not there is no state
	return s
}

func (n *node) await(what string, is func() bool) {
	n.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(podLimit)
	defer end.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end.C:
			n.t.Fatalf("%s: waited %v in vain for %s", n.name, podLimit, what)
		}
		if n.process != nil && !n.process.Running() {
			_, stderr := n.process.Output()
			n.t.Fatalf("%s: the pod has ended:\n%s", n.name, stderr)
		}
	}
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}
