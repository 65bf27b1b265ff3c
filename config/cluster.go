package config

import (
	"fmt"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
)

// Kubernetes is the cluster whose objects layers act on.
type Kubernetes struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig"` // empty: the service account of the pod that the daemon runs in
}

// Objects are those of a cluster that a layer acts on.
type Objects struct {
	Selector   string   `yaml:"selector" json:"selector"`                         // of labels, as kubectl's -l takes it
	Namespaces []string `yaml:"namespaces,omitempty" json:"namespaces,omitempty"` // none: all
}

// NeedsCluster reports whether any layer acts on objects of a cluster.
func (l Layers) NeedsCluster() bool { return l.HTTPRoute != nil }

// objects checks the section of a layer, if there is one.
func (v *validator) objects(section string, o *Objects) {
	if o == nil {
		return
	}
	// A selector that is empty would take everything in the cluster, which is no wish
	// but a slip.
	v.text(section+".selector", o.Selector, func(s string) bool {
		selector, err := labels.Parse(s)
		return err == nil && !selector.Empty()
	})
	for i, ns := range o.Namespaces {
		at := fmt.Sprintf("%s.namespaces[%d]", section, i)
		v.text(at, ns, isLabel)
		v.must(!slices.Contains(o.Namespaces[:i], ns), at, "found %s, which is in the list twice", quote(ns))
	}
}

func (v *validator) kubernetes() {
	if path := v.c.Kubernetes.Kubeconfig; path != "" {
		v.text("kubernetes.kubeconfig", path, isAbs)
	}
}

// checkKubeconfig looks whether the kubeconfig is there. It holds credentials, so
// nobody else may read it.
func (v *validator) checkKubeconfig() {
	path := v.c.Kubernetes.Kubeconfig
	if path == "" {
		return
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		v.must(false, "kubernetes.kubeconfig", "%v, expected a kubeconfig file", err)
	case info.Mode().Perm()&0o077 != 0:
		v.must(false, "kubernetes.kubeconfig", "others can read %s (mode %04o), which holds credentials; run chmod 600 on it", path, info.Mode().Perm())
	}
}
