package clusters

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// write writes the region's certificates and configurations.
func (r *Region) write() error {
	for _, dir := range []string{"log", "pki", "static", "sysctl", "cni", "cnilib", "containerd", "etcd", "kubelet", "podlogs"} {
		if err := os.MkdirAll(r.Path(dir), 0o755); err != nil {
			return err
		}
	}
	if err := r.writeKeys(); err != nil {
		return err
	}
	expand := strings.NewReplacer("DIR", r.Dir, "NAME", r.Name, "IP", r.IP, "NUMBER", fmt.Sprint(r.number),
		"CGROUP", cgroupRoot(filepath.Dir(r.Dir), r.Name))
	files := map[string]string{"kubeconfig": kubeconfig, "kubelet.yaml": kubelet, "containerd.toml": containerd,
		"resolv.conf": "nameserver 10.96.NUMBER.10\n"} // where a cluster's DNS would be; the machine's own resolver would be asked else
	if r.options.Network == nil {
		files["cni/10-bridge.conflist"] = bridge
	}
	if r.options.Prepare != "" {
		files["prepare.sh"] = r.options.Prepare
	}
	for name, text := range files {
		if err := os.WriteFile(r.Path(name), []byte(expand.Replace(text)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: NAME, cluster: {server: "https://IP:443", certificate-authority: DIR/pki/ca.crt}}]
users: [{name: admin, user: {client-certificate: DIR/pki/admin.crt, client-key: DIR/pki/admin.key}}]
contexts: [{name: NAME, context: {cluster: NAME, user: admin}}]
current-context: NAME
`

const kubelet = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /CGROUP
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: DIR/pki/ca.crt}}
authorization: {mode: AlwaysAllow}
staticPodPath: DIR/static
volumePluginDir: DIR/volumeplugins
resolvConf: DIR/resolv.conf
clusterDomain: cluster.local
clusterDNS: [10.96.NUMBER.10]
failSwapOn: false
# The disk is the machine's, and how full that is says nothing about the test.
evictionHard: {memory.available: 0%, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%, imagefs.inodesFree: 0%}
imageGCHighThresholdPercent: 100
`

// Without restrict_oom_score_adj runc dies where root lacks CAP_SYS_RESOURCE, as in a container or a small virtual machine.
const containerd = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:e2e"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`

const bridge = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "ipam": {
    "type": "host-local", "ranges": [[{"subnet": "10.244.NUMBER.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}
]}
`
