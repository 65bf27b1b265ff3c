// Package regions tests two regions on real control planes, with all layers: daemons as processes, Cloudflare's own KV code as
// the witness, three real resolvers, and CloudNativePG's own operator with its webhooks. What a control plane alone does not
// have is stood in for: PostgreSQL instances (package postgres), and k8gb with a kubelet, as far as the dead-man gate goes.
package regions
