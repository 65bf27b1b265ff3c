package packaging_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/e2e/controlplane"
)

// TestConfig has the agent read the file that the chart writes for it.
func TestConfig(t *testing.T) {
	for name, sections := range cases {
		t.Run(name, func(t *testing.T) {
			_, file := render(t, aboveOf(sections), sections)
			if _, err := config.Load(file); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTokens looks at which token each of several witnesses is asked with: the chart's, unless another one is named.
func TestTokens(t *testing.T) {
	_, file := render(t, "", witnesses)
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"cloudflare-token", "their-token"} {
		if got := c.Witnesses[i].CloudflareKV.APITokenFile; got != "/var/run/secrets/failoverd/"+want {
			t.Errorf("witness %d has the token %s, want %s", i, got, want)
		}
	}
}

// TestServices looks for the pods that each Service selects: it finds those of its own namespace alone.
func TestServices(t *testing.T) {
	for name, sections := range cases {
		t.Run(name, func(t *testing.T) {
			all, _ := render(t, aboveOf(sections), sections)
			for _, o := range all {
				if selector, _, _ := unstructured.NestedMap(o.Object, "spec", "selector"); o.GetKind() == "Service" && selector != nil && o.GetNamespace() != namespace {
					t.Errorf("Service %s selects pods in namespace %s, and they are in %s", o.GetName(), o.GetNamespace(), namespace)
				}
			}
		})
	}
}

// TestRefused gives the chart values that must not be taken.
func TestRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"nothing":              {nil, "missing propert"},
		"no node":              {[]string{"-f", values(t, "", ""), "--set", "node="}, "/node"},
		"the agent's pages":    {[]string{"-f", values(t, "", ""), "--set", "config.api.listen=:1"}, "/config/api"},
		"no witness":           {[]string{"-f", values(t, "", ""), "--set", "config.witness=null"}, "/config/witness"},
		"witness, witnesses":   {[]string{"-f", values(t, "", ""), "--set-json", `config.witnesses=[{"name":"a","type":"file"}]`}, "oneOf"},
		"the agent's state":    {[]string{"-f", values(t, "", ""), "--set", "config.state_dir=/x"}, "/config/state_dir"},
		"several on a node":    {[]string{"-f", values(t, "", severalSections)}, "/node"},
		"one on several nodes": {[]string{"-f", values(t, "", ""), "--set", "nodeSelector.a=b"}, "/nodeSelector"},
		"GPUs of several":      {[]string{"-f", values(t, several, severalSections), "--set", "config.gpu.enabled=true"}, "/config/gpu"},
		"the DNS's Service":    {[]string{"-f", values(t, several, severalSections), "--set", "config.instances.dns_service=x"}, "/config/instances/dns_service"},
		"a path of a secret":   {[]string{"-f", values(t, "", ""), "--set", "config.identity.private_key_file=/x"}, "/config/identity/private_key_file"},
		"a kubeconfig":         {[]string{"-f", values(t, "", ""), "--set", "config.kubernetes.kubeconfig=/x"}, "/config/kubernetes/kubeconfig"},
		"a misspelt value":     {[]string{"-f", values(t, "", ""), "--set", "secretname=x"}, "secretname"},
		"CPUs for the DNS":     {[]string{"-f", values(t, "", ""), "--set", "dns.cpus=x"}, "cpus"},
		"pages for nobody":     {[]string{"-f", values(t, "", ""), "--set-json", "networkPolicy.pagesFrom=[]"}, "pagesFrom"},
		"an annotation of two": {[]string{"-f", values(t, "", ""), "--set", "dns.annotations.a=2"}, "annotations"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := template(t, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got the error %v, want one that says %q", err, tt.says)
			}
		})
	}
}

// TestLint has Helm look the chart over.
func TestLint(t *testing.T) {
	for _, file := range []string{values(t, "", everything), values(t, several, severalSections)} {
		if out, err := helmCommand(t, "lint", "--strict", "-f", file, chart).CombinedOutput(); err != nil {
			t.Errorf("helm lint: %v\n%s", err, out)
		}
	}
}

var cluster = controlplane.Share(1, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.Prometheus, controlplane.GatewayAPI}})

func TestMain(m *testing.M) {
	code := cluster.Main(m)
	os.RemoveAll(releaseDir)
	os.Exit(code)
}

// TestServer has an API server take all objects, in a namespace whose pods have to be restricted, and warn of none.
func TestServer(t *testing.T) {
	plane := cluster.Planes(t)[0]
	for name, tt := range map[string]struct{ level, above, sections string }{
		"no layer":   {"restricted", "", ""},
		"everything": {"restricted", "monitoring: {enabled: true, dashboard: true}\ndeadManGate: true\n", everything},
		"root":       {"privileged", "ciliumSocket: true\n", everything},
		"several":    {"privileged", several + "monitoring: {enabled: true}\ndeadManGate: true\n", severalSections},
	} {
		t.Run(name, func(t *testing.T) {
			ns := plane.Namespace(t)
			kubectl(t, plane, "", "label", "namespace", ns, "pod-security.kubernetes.io/warn="+tt.level)
			text, err := template(t, "-n", ns, "-f", values(t, tt.above, tt.sections))
			if err != nil {
				t.Fatal(err)
			}
			kubectl(t, plane, text, "apply", "--server-side", "--dry-run=server", "-f", "-")
		})
	}
}

// TestNames gives the chart names that YAML takes for something else, where nothing says that they are names.
func TestNames(t *testing.T) {
	plane := cluster.Planes(t)[0]
	for name, above := range map[string]string{"one": "", "several": several} {
		t.Run(name, func(t *testing.T) {
			ns := strconv.FormatInt(time.Now().UnixNano(), 10)
			kubectl(t, plane, "", "create", "namespace", ns)
			sections := "\n  layers: {httproute: {selector: a=b, namespaces: [\"" + ns + "\"]}}\n"
			if above != "" {
				sections += "  instances: {}\n"
			}
			text, err := templateOf(t, "1234", "-n", ns, "-f", values(t, above+"monitoring: {enabled: true}\n", sections),
				"--set-string", "config.group=2024,config.region=no,secretName=1,priorityClassName=2,dns.loadBalancerIP=1:2:3:4:5:6:7:8")
			if err != nil {
				t.Fatal(err)
			}
			kubectl(t, plane, text, "apply", "--server-side", "--dry-run=server", "-f", "-")
		})
	}
}

// TestAgain installs the chart, uninstalls it, and installs it for several agents in the place of one, or the other way round: what Helm
// has kept is taken up, and leads to pods as a new one does. Then it does what docs/install.md says to be rid of it.
func TestAgain(t *testing.T) {
	plane := cluster.Planes(t)[0]
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	section := "\n  layers: {httproute: {selector: a=b}}\n"
	one, many := values(t, "", section), values(t, several, severalSections)
	for name, files := range map[string][]string{"several after one": {one, many}, "one after several": {many, one}} {
		for _, serverSide := range []string{"true", "false"} { // as Helm 4 does it, and as Helm 3
			t.Run(name+", server side "+serverSide, func(t *testing.T) {
				ns := plane.Namespace(t)
				for _, file := range files {
					helmOn(t, plane, ns, "install", "failoverd", chart, "-f", file, "--server-side="+serverSide)
					service, err := client.CoreV1().Services(ns).Get(t.Context(), "failoverd-dns", metav1.GetOptions{})
					if err != nil {
						t.Fatal(err)
					}
					if got, want := len(service.Spec.Selector) > 0, file == one; got != want {
						t.Errorf("the Service for questions selects pods by itself: %v, want %v", got, want)
					}
					helmOn(t, plane, ns, "uninstall", "failoverd")
				}
				for _, command := range commands(t, plane, ns, "docs/install.md", "delete serviceaccount,", "delete clusterrole,") {
					if out, err := run(t, command...); err != nil {
						t.Fatalf("%q: %v\n%s", command, err, out)
					}
				}
				left, err := run(t, kubectlOn(plane, "-n", ns, "get", "serviceaccount,service,role,rolebinding,daemonset,configmap", "-l", "app.kubernetes.io/instance=failoverd", "-o", "name")...)
				if err != nil || left != "" {
					t.Errorf("%v: left are\n%s", err, left)
				}
				if _, err := client.RbacV1().ClusterRoles().Get(t.Context(), ns+"-failoverd", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
					t.Errorf("a ClusterRole is left: %v", err)
				}
			})
		}
	}
}

// TestManifests compares the plain manifests with the chart.
func TestManifests(t *testing.T) {
	for name, from := range map[string][]string{"failoverd.yaml": {"values.yaml"}, "failoverd-instances.yaml": {"values.yaml", "values-instances.yaml"}} {
		args := []string{"-n", "failoverd"}
		for _, file := range from {
			args = append(args, "-f", filepath.Join(root, manifests, file))
		}
		want, err := template(t, args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, manifests+name); got != want {
			t.Errorf("%s%s is not what the chart renders; run make manifests", manifests, name)
		}
	}
}

// TestRules compares the chart's PrometheusRule with the file of rules.
func TestRules(t *testing.T) {
	all, _ := render(t, "monitoring: {enabled: true}\n", "")
	var want map[string]any
	if err := sigsyaml.Unmarshal([]byte(readFile(t, "deploy/prometheus/rules.yaml")), &want); err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if o.GetKind() == "PrometheusRule" {
			if !reflect.DeepEqual(o.Object["spec"], any(want)) {
				t.Errorf("got\n%v\nwant\n%v", o.Object["spec"], want)
			}
			return
		}
	}
	t.Error("there is no PrometheusRule")
}

// TestDashboard compares the chart's ConfigMap with the file of the dashboard.
func TestDashboard(t *testing.T) {
	all, _ := render(t, "monitoring: {dashboard: true}\n", "")
	for _, o := range all {
		if o.GetLabels()["grafana_dashboard"] == "1" {
			got, _, _ := unstructured.NestedString(o.Object, "data", "failoverd.json")
			if want := readFile(t, "deploy/grafana/failoverd.json"); strings.TrimSpace(got) != strings.TrimSpace(want) {
				t.Error("the chart's dashboard is not the file")
			}
			return
		}
	}
	t.Error("there is no dashboard")
}
