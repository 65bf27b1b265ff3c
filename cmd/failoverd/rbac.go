package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/layers/kube"
)

func rbacCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rbac",
		Short: "Prints the Kubernetes roles that a configuration needs",
		Long: `Prints the roles that give the daemon's service account exactly what the layers
and probes of a configuration do in the cluster, with the Lease and the Events that show
the state there, and nothing else. It asks nobody.

check --live tells whether they are there.

Exit codes: 0 printed; 2 the configuration is not valid, or nothing in it needs
a cluster.`,
		Example: "  failoverd rbac --config failoverd.yaml --namespace failoverd | kubectl apply -f -",
		Args:    noArgs,
	}
	path := configFlag(cmd)
	account := kube.ServiceAccount{}
	cmd.Flags().StringVar(&account.Namespace, "namespace", "failoverd", "the `namespace` of the service account")
	cmd.Flags().StringVar(&account.Name, "service-account", "failoverd", "the `name` of the service account")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*path)
		if err != nil {
			return err
		}
		nobody, err := kube.New(&rest.Config{})
		if err != nil {
			return err
		}
		byCluster, err := clusterLayers(cfg, nobody, nil)
		if err != nil {
			return usageError{err}
		}
		var needed []kube.Permission
		for _, l := range byCluster {
			needed = append(needed, l.Permissions()...)
		}
		needed = append(needed, probePermissions(cfg.Health)...)
		needed = append(needed, evictPermissions(cfg.GPU)...)
		if !cfg.NeedsCluster() {
			return usageError{fmt.Errorf("%s: no layer acts on a cluster, so there is nothing to allow; no probe looks at one, no pod is evicted, and nothing is shown in one; see layers.httproute, cilium, cnpg and strimzi, health.probes, gpu.evict, and kubernetes", *path)}
		}
		namespace := cfg.Kubernetes.Namespace
		if namespace == "" {
			namespace = account.Namespace // that of the pod
		}
		needed = append(needed, instancePermissions(cfg, namespace)...)
		needed = append(needed, mirrorPermissions(cfg, namespace)...)
		text, err := kube.Manifest("failoverd-"+cfg.Group, account, needed)
		if err != nil {
			return err
		}
		fmt.Fprint(cmd.OutOrStdout(), text)
		return nil
	}
	return cmd
}
