// Package clusters runs two whole single-node Kubernetes clusters, fsn and hel, for tests that need more than a control plane:
// each a region with a network, mount and process namespace of its own, and in it etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler, kubelet, containerd with runc, kube-proxy and a CNI network. What is scheduled there runs.
//
// The test binary is what joins them, the hub: [Main] starts it again in namespaces of its own, with a bridge that has a link
// to each region. So a test reaches both regions by address, they reach what it listens on at [HubIP], and nothing of all this
// reaches the machine or is reached from it. A link can be cut ([Region.Cut]), and a region be killed as by loss of power
// ([Region.Kill]).
//
//	func TestMain(m *testing.M) { os.Exit(clusters.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		regions := clusters.Up(t, clusters.Options{})
//		...
//
// Such a test has the build tag clusters, since it needs what `make clusters` sees to: root, and what e2e/clusters/setup.sh
// installs. When the hub ends, however it ends, the kernel kills all that it has started; the process that started it then
// removes the cgroups and the files. The machine's own sysctls are never written: the kubelet's are files in each region.
package clusters
