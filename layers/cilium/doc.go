// Package cilium is the layer of traffic inside a cluster and between the clusters of a
// Cilium Cluster Mesh: which region's backends global Services lead to, and a network
// policy that cuts the pods of a fenced region off.
//
// # The fence
//
// One CiliumClusterwideNetworkPolicy denies the selected pods what policy.go says and
// why. Denies, not the lack of an allow: any other policy's allow would undo that. It is
// the one thing of the layers that cuts what is established, since Cilium looks at each
// packet. Pods of CloudNativePG's databases are left out: their layer fences them, and
// replication goes on.
//
// It does not hold for pods in the host's network (Cilium attaches no policy to them),
// against what comes from the pod's own node (the kubelet's probes do, and so does a
// gateway in the host's network), nor against an Accept in the admin tier of a
// ClusterNetworkPolicy.
//
// # Static policy files
//
// While the API server is down no policy gets to an agent through it. An agent with
// --static-cnp-path loads policies from files of its own node; the layer writes the same
// policy there, of the node that it runs on. Labels through the agent's socket would be
// no fence: a new label is a new identity, which needs the API server.
//
// # The steer
//
// Global Services of a fenced region are not shared and prefer remote backends; those of
// an active region are shared as they were and prefer their own backends. Preferring
// them needs no cooperation of the other region, whose backends its peers keep for ever
// when it can't be reached any more. What the user had is kept in an annotation. It is no
// fence: where no remote backend is left, a Service leads to its own.
//
// A Service's or ServiceExport's own affinity does not belong in Git, or Git and the
// layer take turns at it.
//
// # What is looked at
//
// The agent's socket tells, without the API server, what is realised for the pods of this
// node: see realised.go. Without a socket the layer goes by the API server alone, and
// knows only that agents were asked.
package cilium
