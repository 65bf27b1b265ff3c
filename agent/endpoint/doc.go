// Package endpoint leads a Service to the one instance of a region that acts (docs/protocol.md §5),
// where the instances are pods: the others refuse questions, and whoever asks by one address for
// all, which is what a Service has, would reach any of them.
//
// So the Service selects no pods. The instance that acts writes the Service's EndpointSlice, with
// its own address alone, as Patroni's leader does. Nobody else need do anything: there is no mark
// of the one before to be taken away.
//
// It guarantees:
//
//   - Only an instance that knows that it alone acts begins a write, and each is a compare-and-swap.
//     What an older one overwrites all the same is put right within Config.Every.
//   - Show does not block, and an API server that hangs holds up nothing else.
//   - A Service that selects pods, and an EndpointSlice that is someone else's, are left alone.
package endpoint
