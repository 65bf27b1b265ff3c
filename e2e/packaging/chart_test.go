package packaging_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/e2e/controlplane"
)

const (
	chart     = root + "/deploy/helm/failoverd"
	manifests = "deploy/manifests/"
	namespace = "regions"
)

// helm is Helm at the version of go.mod.
var helm = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("go", "tool", "-n", "helm")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as e2e/setup.sh has built it
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
})

// helmCommand is a call of Helm.
func helmCommand(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := helm()
	if err != nil {
		t.Fatalf("build Helm: %v; run e2e/setup.sh", err)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

// values are a file of the chart's values, in which the indented sections of the agent's configuration come last.
func values(t *testing.T, above, sections string) string {
	t.Helper()
	base := strings.TrimSpace(readFile(t, "deploy/manifests/values.yaml"))
	base, _, _ = strings.Cut(base, "  layers:\n")
	if strings.Contains(sections, "witnesses:") {
		before, rest, _ := strings.Cut(base, "  witness:\n")
		_, after, _ := strings.Cut(rest, "  quorum:\n")
		base = before + "  quorum:\n" + after
	}
	if strings.Contains(above, "node: ") {
		base = strings.Replace(base, "node: node-1\n", "", 1)
	}
	path := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(path, []byte(above+base+sections), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// template renders the chart.
func template(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return templateOf(t, "failoverd", args...)
}

// templateOf renders the chart for a release.
func templateOf(t *testing.T, release string, args ...string) (string, error) {
	t.Helper()
	cmd := helmCommand(t, append([]string{"template", release, chart}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("helm %q: %w\n%s", cmd.Args[1:], err, stderr.Bytes())
	}
	return stdout.String(), nil
}

// objects are those of a file of YAML.
func objects(t *testing.T, text string) (all []*unstructured.Unstructured) {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); err != nil {
			return all
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
}

// render renders the chart for a configuration, and writes the agent's file.
func render(t *testing.T, above, sections string) (all []*unstructured.Unstructured, configFile string) {
	t.Helper()
	text, err := template(t, "-n", namespace, "-f", values(t, above, sections))
	if err != nil {
		t.Fatal(err)
	}
	all = objects(t, text)
	for _, o := range all {
		if file, ok, _ := unstructured.NestedString(o.Object, "data", "failoverd.yaml"); ok {
			configFile = filepath.Join(t.TempDir(), "failoverd.yaml")
			if err := os.WriteFile(configFile, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if configFile == "" {
		t.Fatal("there is no ConfigMap with failoverd.yaml")
	}
	return all, configFile
}

const everything = `
  layers:
    httproute: {selector: failover.openova.io/group=rtz-prod}
    cilium: {selector: failover.openova.io/group=rtz-prod}
    cnpg: {selector: failover.openova.io/group=rtz-prod, max_lag: 1MiB}
    strimzi: {selector: failover.openova.io/group=rtz-prod}
  health:
    probes:
      - {name: nodes, kubernetes_nodes_ready: 60%}
      - {name: api, kubernetes_api_latency: 1s}
      - {name: gateway, gateway: gateways/public}
      - {name: shop, cnpg: shop/db}
      - {name: page, http: "https://gw.fsn.example.com/healthz"}
  gpu: {enabled: true, source: dcgm-exporter, exporter: "http://localhost:9400/metrics", evict: {max_priority: 2000000}}
`

// several are the values of a region of several instances, and severalSections its configuration.
const (
	several         = "node: \"\"\nnodeSelector: {failover.openova.io/agent: \"\"}\n"
	severalSections = "\n  instances: {}\n  layers: {httproute: {selector: a=b}}\n"
)

// witnesses are three in the place of the one, of which the first has the chart's token.
const witnesses = `
  witnesses:
    - {name: ours, type: cloudflare-kv, cloudflare_kv: {account_id: 0123456789abcdef0123456789abcdef, namespace_id: fedcba9876543210fedcba9876543210}}
    - {name: theirs, type: cloudflare-kv, cloudflare_kv: {account_id: fedcba9876543210fedcba9876543210, namespace_id: 0123456789abcdef0123456789abcdef, api_token_file: /var/run/secrets/failoverd/their-token}}
    - {name: aws, type: s3, s3: {endpoint: "https://s3.eu-central-1.amazonaws.com", bucket: failoverd-witness, region: eu-central-1, credentials_file: /var/run/secrets/failoverd/s3-credentials}}
`

// cases are sections of the agent's configuration.
var cases = map[string]string{
	"no layer":               "",
	"everything":             everything,
	"httproute":              "\n  layers: {httproute: {selector: a=b}}\n",
	"httproute somewhere":    "\n  layers: {httproute: {selector: a=b, namespaces: [shop, blog]}}\n",
	"cilium":                 "\n  layers: {cilium: {selector: a=b}}\n",
	"cilium somewhere":       "\n  layers: {cilium: {selector: a=b, namespaces: [shop]}}\n",
	"cnpg":                   "\n  layers: {cnpg: {selector: a=b}}\n",
	"cnpg somewhere":         "\n  layers: {cnpg: {selector: a=b, namespaces: [shop, kube-system, regions]}}\n",
	"strimzi":                "\n  layers: {strimzi: {selector: a=b}}\n",
	"strimzi somewhere":      "\n  layers: {strimzi: {selector: a=b, namespaces: [default]}}\n",
	"one of two somewhere":   "\n  layers: {strimzi: {selector: a=b}, cnpg: {selector: a=b, namespaces: [shop]}}\n",
	"hooks":                  "\n  layers: {hooks: [{name: edge, activate: [/edge, up], fence: [/edge, down]}]}\n",
	"nodes":                  "\n  health: {probes: [{name: nodes, kubernetes_nodes_ready: 60%}]}\n",
	"API latency":            "\n  health: {probes: [{name: api, kubernetes_api_latency: 1s}]}\n",
	"gateway":                "\n  health: {probes: [{name: gateway, gateway: gateways/public}]}\n",
	"CNPG cluster":           "\n  health: {probes: [{name: shop, cnpg: shop/db}]}\n",
	"GPUs are watched":       "\n  gpu: {enabled: true, source: dcgm-exporter, exporter: \"http://localhost:9400/metrics\"}\n",
	"GPUs are left":          "\n  gpu: {enabled: true, source: dcgm-exporter, exporter: \"http://localhost:9400/metrics\", evict: {}}\n",
	"the Lease is elsewhere": "\n  kubernetes: {namespace: leases}\n",
	"several":                severalSections,
	"several witnesses":      witnesses,
	"several elsewhere":      "\n  instances: {term_duration: 3s}\n  kubernetes: {namespace: leases}\n",
}

// aboveOf are the chart's values that sections of the agent's configuration need.
func aboveOf(sections string) string {
	if strings.Contains(sections, "instances:") {
		return several
	}
	return ""
}

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

// commands are the lines of a page that call kubectl and hold one of some words, on a namespace in the place of failoverd.
func commands(t *testing.T, plane *controlplane.Plane, ns, page string, words ...string) (all [][]string) {
	t.Helper()
	for _, word := range words {
		found := false
		for line := range strings.Lines(readFile(t, page)) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), "   #")
			if line, ok := strings.CutPrefix(line, "kubectl "); ok && strings.Contains(line, word) {
				found = true
				args := strings.NewReplacer("-n failoverd ", "-n "+ns+" ", "failoverd-failoverd", ns+"-failoverd").Replace(line)
				all = append(all, kubectlOn(plane, strings.Fields(args)...))
			}
		}
		if !found {
			t.Fatalf("%s has no line that begins with kubectl and holds %q", page, word)
		}
	}
	return all
}

// kubectlOn is a call of kubectl on a plane.
func kubectlOn(plane *controlplane.Plane, args ...string) []string {
	return append([]string{filepath.Join("..", "bin", "kubectl"), "--kubeconfig", plane.Kubeconfig}, args...)
}

// helmOn runs Helm on a namespace of a plane.
func helmOn(t *testing.T, plane *controlplane.Plane, ns string, args ...string) {
	t.Helper()
	if out, err := helmCommand(t, append(args, "--kubeconfig", plane.Kubeconfig, "-n", ns)...).CombinedOutput(); err != nil {
		t.Fatalf("helm %q: %v\n%s", args, err, out)
	} else {
		t.Logf("helm %s:\n%s", args[0], out)
	}
}

// kubectl runs kubectl on a plane. What it warns of is an error.
func kubectl(t *testing.T, plane *controlplane.Plane, stdin string, args ...string) {
	t.Helper()
	argv := kubectlOn(plane, append([]string{"--warnings-as-errors"}, args...)...)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("kubectl %q: %v\n%s", args, err, out)
	} else {
		t.Logf("%s", out)
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
