// Package packaging tests what failoverd is installed with, by the programs that users install it with. There is no kubelet: a test
// plays it, and runs the chart's pods.
package packaging
