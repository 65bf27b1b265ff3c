// Package mirror shows in the cluster, to people with kubectl, what an agent is and does:
// a Lease for the group, and Events on that Lease and on every object that is fenced or
// activated.
//
// It guarantees:
//
//   - Nothing is decided by what it writes: nobody reads the Lease back but to see whose
//     it is, and whoever changes or deletes it changes nothing.
//   - None of its methods that others call blocks, and its writes have goroutines of their
//     own: an API server that hangs holds up neither the lease nor a fence.
//   - At rest the Lease is written once in Params.RenewInterval. Events come later than
//     what they tell of, eventRate a second at most, one for each object and order however
//     often it happens; what does not fit into the queue is counted.
//   - An object of the Lease's name that is someone else's is left alone.
package mirror
