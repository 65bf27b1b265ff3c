// Package controlplane runs real Kubernetes control planes for tests: kube-apiserver and etcd, and where a test asks for
// them kube-controller-manager and the CloudNativePG operator with its webhooks. Two planes side by side are two regions.
//
// What is real: all that admits, stores, lists and watches objects, at the versions of e2e/go.mod, and the CRDs of the
// Gateway API, Cilium, the Multi-Cluster Services API and CloudNativePG as their modules bear them. Those of Kueue and KServe
// are cut down to what tests touch (testdata/kueue.yaml, kserve.yaml). What is not: Strimzi's CRD, which no Go module bears,
// is this package's own (testdata/strimzi.yaml). There is no kubelet, so no Pod ever runs: a test writes the status of Pods
// itself, and makes the Nodes that they name. A Cluster of CloudNativePG stays at "Setting up primary".
//
// A plane takes 3 s and 300 MB, and the CRDs of each project a second or two and 100 MB more. So a test binary should name
// only the CRDs that it needs and start its planes once, and each test have a namespace of its own there:
//
//	var regions = controlplane.Share(2, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})
//
//	func TestMain(m *testing.M) { os.Exit(regions.Main(m)) }
//
//	func TestRoutes(t *testing.T) {
//		plane := regions.Planes(t)[0]
//		namespace := plane.Namespace(t)
//		...
//
// A test that breaks its plane, or counts what is in it, takes one of its own by [Start].
//
// Everything listens on loopback, but for the operator's webhook, which binds to every address and takes no flag against
// it. The programs come from e2e/setup.sh; the kernel kills them when the test binary dies.
package controlplane
