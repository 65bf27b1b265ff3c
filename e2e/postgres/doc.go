// Package postgres stands in for what a control plane alone does not have: the instances of CloudNativePG's Clusters, their
// managers, and what the operator does when it has some. Regions stream from one another as the spec of their Clusters says.
// It is nastier than the real thing where a test says so: instances hang, stop slowly, are cut off, or get no token.
package postgres
