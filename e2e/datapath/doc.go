// Package datapath tries failoverd's layer of Cilium on a real datapath: in two clusters of package clusters, with Cilium's own
// agent on each node and a Cluster Mesh between them, and pods that try to reach each other. Nothing stands in for anything,
// but that there is no gateway, and that what Cilium's images would run as pods are processes of the node.
//
// The tests have the build tag datapath, since they need what `make datapath` sees to: root, and what setup.sh builds.
package datapath
