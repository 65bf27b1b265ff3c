package controlplane

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// operatorNamespace is where CloudNativePG's own manifest puts its operator.
const operatorNamespace = "cnpg-system"

// startCNPGOperator installs the webhooks of CloudNativePG and starts its operator, and waits until a Cluster is admitted
// through them.
func (p *Plane) startCNPGOperator() error {
	clusters, err := dynamic.NewForConfig(p.config)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		return err
	}
	modules, err := modules()
	if err != nil {
		return err
	}
	manager, err := Binary("manager")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: operatorNamespace}}
	if _, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create namespace %s: %w", operatorNamespace, err)
	}

	// This makes a certificate, and has the webhooks point to a free port here instead of to a Service.
	p.webhooks = &envtest.WebhookInstallOptions{
		Paths:   []string{filepath.Join(modules[CNPG.module], "config/webhook/manifests.yaml")},
		MaxTime: startTimeout,
	}
	if err := p.webhooks.Install(p.config); err != nil {
		return fmt.Errorf("install CloudNativePG's webhooks: %w", err)
	}

	// It looks for the certificate under these names, and below its working folder for itself, to put into instances.
	dir := filepath.Join(p.dir, "cnpg")
	if err := os.MkdirAll(filepath.Join(dir, "operator"), 0o700); err != nil {
		return err
	}
	for from, to := range map[string]string{
		filepath.Join(p.webhooks.LocalServingCertDir, "tls.crt"): "apiserver.crt",
		filepath.Join(p.webhooks.LocalServingCertDir, "tls.key"): "apiserver.key",
		manager: "operator/manager_" + runtime.GOARCH,
	} {
		if err := os.Symlink(from, filepath.Join(dir, to)); err != nil {
			return err
		}
	}

	s, err := startServer("manager", dir, []string{
		"KUBECONFIG=" + p.Kubeconfig,
		"WEBHOOK_CERT_DIR=" + dir,
		"OPERATOR_NAMESPACE=" + operatorNamespace,
		"POD_NAMESPACE=" + operatorNamespace,
		"POD_NAME=cnpg-controller-manager",
		"OPERATOR_IMAGE_NAME=localhost/cloudnative-pg", // of the instances' init container, which never runs
	}, []string{
		"controller",
		"--webhook-port=" + strconv.Itoa(p.webhooks.LocalServingPort),
		"--metrics-bind-address=0",
	}, func(ctx context.Context) error {
		_, err := clusters.Resource(schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}).
			Namespace(metav1.NamespaceDefault).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "postgresql.cnpg.io/v1",
			"kind":       "Cluster",
			"metadata":   map[string]any{"name": "ready"},
			"spec":       map[string]any{"instances": int64(1), "storage": map[string]any{"size": "1Gi"}},
		}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
	if err != nil {
		return err
	}
	p.others = append(p.others, s)
	return nil
}
