// Package term keeps the record that the instances of a region share (docs/protocol.md §5,
// 'Instances') in a Lease of their own cluster.
//
// It guarantees:
//
//   - A read is linearizable: it names no resourceVersion, so that the API server asks etcd and
//     not its watch cache (k8s.io/apiserver/pkg/storage/cacher/delegator.go, Get), and etcd
//     answers by quorum.
//   - A write is a compare-and-swap, by resourceVersion and uid, and is sent once. It is refused
//     only if it has not landed and won't; whatever else goes wrong says that this is not known.
//   - What can't be understood is never a record, and is never overwritten.
package term
