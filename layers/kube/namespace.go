package kube

import (
	"os"
	"strings"
)

const (
	podNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
	defaultNamespace = "failoverd"
)

// Namespace is that of the daemon's own objects: the one that is configured, else that
// of the pod that the daemon runs in, else failoverd.
func Namespace(configured string) string {
	if configured != "" {
		return configured
	}
	if text, err := os.ReadFile(podNamespaceFile); err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text))
	}
	return defaultNamespace
}
