package packaging_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

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
