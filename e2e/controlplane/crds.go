package controlplane

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	// Only so that go.mod pins the modules whose CRDs are installed. CloudNativePG is there for its manager.
	_ "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/client/crds/v2"
	_ "sigs.k8s.io/gateway-api/pkg/consts"
	_ "sigs.k8s.io/mcs-api/config/crd"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/openova-io/failoverd/e2e/root"
)

// CRDs are those of one project.
type CRDs struct {
	module string // that bears them; empty for this one
	path   string // of the folder or file, in the module
}

var (
	// GatewayAPI is the standard channel, which has HTTPRoute, GRPCRoute, TLSRoute and TCPRoute.
	GatewayAPI = CRDs{"sigs.k8s.io/gateway-api", "config/crd/standard"}

	// Cilium is the group cilium.io/v2.
	Cilium = CRDs{"github.com/cilium/cilium", "pkg/k8s/apis/cilium.io/client/crds/v2"}

	// MCS is the group multicluster.x-k8s.io, at the version that Cilium is built with.
	MCS = CRDs{"sigs.k8s.io/mcs-api", "config/crd"}

	// CNPG is the group postgresql.cnpg.io.
	CNPG = CRDs{"github.com/cloudnative-pg/cloudnative-pg", "config/crd/bases"}

	// Strimzi is KafkaMirrorMaker2 of the group kafka.strimzi.io, with the part of its schema that this package states.
	Strimzi = CRDs{"", "controlplane/testdata/strimzi.yaml"}

	// Kueue is ClusterQueue, LocalQueue and Workload of the group kueue.x-k8s.io, with most of Kueue's own schema.
	Kueue = CRDs{"", "controlplane/testdata/kueue.yaml"}

	// KServe is InferenceService of the group serving.kserve.io, with KServe's own schema of scaling.
	KServe = CRDs{"", "controlplane/testdata/kserve.yaml"}

	// Prometheus is PodMonitor and PrometheusRule of the group monitoring.coreos.com.
	Prometheus = CRDs{"", "controlplane/testdata/prometheus-operator.yaml"}
)

// modules are the folders of the modules that hold CRDs, in Go's module cache.
var modules = sync.OnceValues(func() (map[string]string, error) {
	args := []string{"list", "-m", "-f", "{{.Path}} {{.Dir}}"}
	for _, c := range []CRDs{GatewayAPI, Cilium, MCS, CNPG} {
		args = append(args, c.module)
	}
	e2e, err := root.Find()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = e2e // whose go.mod names them
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %q: %w\n%s", args, err, stderr.Bytes())
	}
	dirs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		module, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		if dir == "" {
			return nil, fmt.Errorf("module %s is not in Go's module cache; run e2e/setup.sh", module)
		}
		dirs[module] = dir
	}
	return dirs, nil
})

// read returns the CRDs of some projects.
func read(sets []CRDs) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	modules, err := modules()
	if err != nil {
		return nil, err
	}
	e2e, err := root.Find()
	if err != nil {
		return nil, err
	}
	options := envtest.CRDInstallOptions{ErrorIfPathMissing: true}
	for _, c := range sets {
		dir := e2e
		if c.module != "" {
			dir = modules[c.module]
		}
		options.Paths = append(options.Paths, filepath.Join(dir, c.path))
	}
	if err := envtest.ReadCRDFiles(&options); err != nil {
		return nil, fmt.Errorf("read CRDs: %w", err)
	}
	return options.CRDs, nil
}
