// Package kube is what the layers that act on objects of a Kubernetes cluster share:
// a set of objects that one Edit makes active or fenced, the marks that the daemon
// leaves on them, the counts of what it wrote, and how it waits for what others make
// of them and tells the other regions. Its client, and what that has to be allowed,
// serve all of the daemon that asks an API server.
//
// It guarantees:
//
//   - What an order acts on is read from the API server when it begins, never from a
//     cache: a watch that has silently died must not make a fence look complete.
//   - Each object is written once, with its resource version: a daemon that dies
//     midway leaves each object either as it was or as it is to be. After a conflict
//     it is read again and edited anew.
//   - Objects are written in parallel, and one that can't be written holds up no
//     other: an Unfinished says which are left.
//   - Once an order is carried out, a watch notices what others change, and only
//     those objects are read and written again.
//
// It holds no policy: what active and fenced mean for an object is the Edit's to say.
package kube
