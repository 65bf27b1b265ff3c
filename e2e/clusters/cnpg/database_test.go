//go:build clusters

package cnpg_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/e2e/clusters"
)

// install installs CloudNativePG's operator, and what the Cluster needs in every region: a class of volumes, and the one
// authority that signs the certificates of all of the topology, so that each region trusts the others, also after a rebuild.
func (r *region) install(t *testing.T, authority *clusters.Region) {
	t.Helper()
	encode := func(file string) string {
		data, err := os.ReadFile(authority.Path(file))
		if err != nil {
			t.Fatal(err)
		}
		return base64.StdEncoding.EncodeToString(data)
	}
	manifest, err := filepath.Abs("../../bin/clusters/cnpg.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r.Kubectl(t, "", "apply", "--server-side", "--filename", manifest)
	r.Kubectl(t, fmt.Sprintf(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: host}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: v1
kind: Secret
metadata: {name: topology-ca}
data: {ca.crt: %s, ca.key: %s}
---
apiVersion: v1
kind: Secret
metadata: {name: app}
type: kubernetes.io/basic-auth
stringData: {username: app, password: app}
`, encode("pki/ca.crt"), encode("pki/ca.key")), "apply", "--filename", "-")
	r.Kubectl(t, "", "--namespace", "cnpg-system", "wait", "--for=condition=Available", "--timeout=180s", "deployment/cnpg-controller-manager")
	r.world.await("the webhook of "+r.Name+" answers", func() bool {
		_, err := r.objects.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": map[string]any{"name": "ready"},
			"spec": map[string]any{"instances": int64(1), "storage": map[string]any{"size": "1Gi"}},
		}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil
	})
}

// create makes the region's Cluster, with a new and empty volume: a copy of that of the source, or the first one if there is
// none.
func (r *region) create(t *testing.T, primary string, source string) {
	t.Helper()
	r.volumes++
	volume := fmt.Sprintf("volume-%d", r.volumes)
	dir := r.Path(volume)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 26, 26); err != nil { // as which PostgreSQL runs
		t.Fatal(err)
	}
	bootstrap := "initdb: {database: app, owner: app, secret: {name: app}, postInitSQL: [GRANT pg_monitor TO app]}"
	if source != "" {
		bootstrap = "pg_basebackup: {source: " + source + ", database: app, owner: app, secret: {name: app}}"
	}
	var external strings.Builder
	for _, o := range r.world.regions {
		fmt.Fprintf(&external, `
  - name: %s
    connectionParameters: {host: %s, port: "30432", user: streaming_replica, dbname: postgres, sslmode: verify-ca, connect_timeout: "2"}
    sslKey: {name: db-replication, key: tls.key}
    sslCert: {name: db-replication, key: tls.crt}
    sslRootCert: {name: topology-ca, key: ca.crt}`, o.Name, o.IP)
	}
	r.Kubectl(t, fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: %s}
spec:
  storageClassName: host
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: %s}
---
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: db, labels: {failover.openova.io/group: e2e}}
spec:
  instances: 1
  imageName: localhost/postgresql:15
  imagePullPolicy: Never
  storage: {size: 1Gi, storageClass: host}
  switchoverDelay: 4
  smartShutdownTimeout: 1
  postgresql: {parameters: {shared_buffers: 32MB, log_min_messages: fatal}}
  certificates: {serverCASecret: topology-ca, clientCASecret: topology-ca}
  bootstrap: {%s}
  managed:
    services:
      additional:
      - selectorType: rw
        serviceTemplate: {metadata: {name: db-ext}, spec: {type: NodePort, ports: [{name: postgres, port: 5432, targetPort: 5432, nodePort: 30432}]}}
  replica: {self: %s, primary: %s, source: %s}
  externalClusters:%s
`, volume, dir, bootstrap, r.Name, primary, r.other().Name, external.String()), "apply", "--filename", "-")
}

// awaitHealthy waits until the operator says that the region's Cluster is whole.
func (r *region) awaitHealthy(t *testing.T) {
	t.Helper()
	begun := time.Now()
	r.world.await("the Cluster of "+r.Name+" is healthy", func() bool {
		return r.Kubectl(t, "", "get", "clusters.postgresql.cnpg.io", "db", "--output", "jsonpath={.status.phase}|{.status.readyInstances}") == "Cluster in healthy state|1"
	})
	t.Logf("the Cluster of %s is healthy after %.1f s", r.Name, time.Since(begun).Seconds())
}
