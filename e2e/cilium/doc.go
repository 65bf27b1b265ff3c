// Package cilium tries failoverd's layer of Cilium against a real API server with Cilium's CRDs, and against Cilium's own
// code: its policy engine says what the policies deny, and a stand-in of its agent says what it has realised.
package cilium
