package gpu

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
	"github.com/openova-io/failoverd/layers/kube"
)

// TestAbsent evicts in a cluster without Kueue and KServe: one line says that they are not there, and nothing fails. Then
// an older Kueue comes, which serves v1beta1 only.
func TestAbsent(t *testing.T) {
	plane := controlplane.Start(t, 1, controlplane.Options{})[0]
	w := on(t, plane)
	w.must(w.node("node"))
	w.must(w.pod("job", "node"))
	var log bytes.Buffer
	client, err := kube.New(plane.Config())
	w.must(err)
	e, err := evict.New(client, evict.Config{MaxPriority: 1000, Now: sinceBegan, Log: hclog.New(&hclog.LoggerOptions{Output: &log})})
	w.must(err)
	ctx, cancel := context.WithCancel(t.Context())
	passes := 0
	e.Run(ctx, func() evict.Situation {
		if passes++; passes == 2 {
			cancel()
		}
		return degraded
	})
	if alive := w.alive(); len(alive) > 0 {
		t.Errorf("there are %v, want none", alive)
	}
	t.Logf("log:\n%s", &log)
	const want = "kinds=\"clusterqueues.kueue.x-k8s.io, workloads.kueue.x-k8s.io, inferenceservices.serving.kserve.io\""
	if text := log.String(); strings.Count(text, want) != 1 || strings.Contains(text, "WARN") {
		t.Errorf("the log is\n%s\nwant one line with %s, and no warning", text, want)
	}

	kubectl(t, plane, servedAs(t, "v1beta1"))
	o := w.objects()
	old := clusterQueues
	old.Version = "v1beta1"
	await(t, "the API server serves Kueue", func(ctx context.Context) error {
		_, err := e.Pass(ctx, degraded)
		if err == nil {
			_, err = o.client.Resource(old).List(ctx, metav1.ListOptions{})
		}
		return err
	})
	o.create(old, "gpus", queue("None"))
	if r := pass(t, e, degraded); len(r.Stopped) != 1 || !slices.Equal(r.Absent, []string{"inferenceservices.serving.kserve.io"}) {
		t.Errorf("got %v stopped and %v absent, want one and KServe", r.Stopped, r.Absent)
	}
	checkObjects(t, "v1beta1", o.stopped(), map[string]string{"clusterqueues gpus": "Hold ours"})
	pass(t, e, evict.Situation{Region: gpu.Healthy})
	checkObjects(t, "v1beta1", o.stopped(), map[string]string{"clusterqueues gpus": "None"})
}

// servedAs is the manifest of Kueue's kinds, of which one version is served.
func servedAs(t *testing.T, version string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "controlplane", "testdata", "kueue.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal([]byte(doc), &crd); err != nil {
			t.Fatal(err)
		}
		for i := range crd.Spec.Versions {
			v := &crd.Spec.Versions[i]
			v.Served = v.Name == version
		}
		out, err := yaml.Marshal(crd)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(out))
	}
	return strings.Join(all, "---\n")
}
