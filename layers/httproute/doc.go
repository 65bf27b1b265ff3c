// Package httproute is the layer of traffic from outside: routes of the Gateway API,
// HTTPRoute and those of its siblings that the cluster has.
//
// A route is fenced by one write that points every rule which has backends at a
// Service without endpoints (the fence Service, in the route's own namespace): the
// gateway answers 503, and k8gb, which looks at the endpoints of the Services that a
// route names, withdraws the region. Rules without backends (redirects) are left
// alone. A weight of 0 or a detached route would not do: k8gb does not look at
// weights, and keeps the old answer for a route that it can't find.
//
// The same write keeps what was there before in an annotation, with marks that keep
// GitOps and external-dns from undoing it. Activation puts exactly that back and takes
// every mark away. Whether a route is fenced is judged by its backends, never by an
// annotation: Flux, where the marks came too late, puts the backends back and leaves
// annotations. Such a route is fenced again from its new backends.
//
// It cuts nothing that is established: requests in flight and open streams go on. To
// cut them is for the layers further inside.
package httproute
