// Package gpu tests evictions from GPUs against a real API server with the real controller of disruption budgets. There is
// no GPU and no kubelet: the tests say how GPUs are, bind pods to nodes, and let those that are evicted end.
package gpu
