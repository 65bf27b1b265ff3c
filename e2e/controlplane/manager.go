package controlplane

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// startControllerManager starts kube-controller-manager, and waits until it holds its lease: its controllers start then.
func (p *Plane) startControllerManager() error {
	client, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		return err
	}
	authority := filepath.Join(p.dir, "ca.crt")
	if err := os.WriteFile(authority, p.config.CAData, 0o600); err != nil {
		return err
	}
	s, err := startServer("kube-controller-manager", p.dir, nil, []string{
		"--kubeconfig=" + p.Kubeconfig,
		"--controllers=disruption-controller,endpointslice-controller,garbage-collector-controller,serviceaccount-token-controller",
		"--service-account-private-key-file=" + filepath.Join(p.dir, "certs", "sa-signer.key"),
		"--root-ca-file=" + authority,
		"--secure-port=0",
		// It is alone, and it ends when it can't renew its lease: a test may freeze kube-apiserver for longer than usual.
		"--leader-elect-lease-duration=2h",
		"--leader-elect-renew-deadline=1h",
	}, func(ctx context.Context) error {
		lease, err := client.CoordinationV1().Leases("kube-system").Get(ctx, "kube-controller-manager", metav1.GetOptions{})
		if err == nil && (lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "") {
			err = errors.New("its lease has no holder")
		}
		return err
	})
	if err != nil {
		return err
	}
	p.others = append(p.others, s)
	return nil
}
