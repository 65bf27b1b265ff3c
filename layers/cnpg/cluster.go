package cnpg

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers/kube"
)

// The annotations of a Cluster that matter here.
const (
	peersAnnotation     = "failover.openova.io/peers"
	fencedAnnotation    = "cnpg.io/fencedInstances"
	pausedAnnotation    = "cnpg.io/reconciliationLoop"
	hibernateAnnotation = "cnpg.io/hibernation"
	noArchiveAnnotation = "cnpg.io/skipWalArchiving"

	// promotedAnnotation is up to where the data of other regions had come when it was
	// last promoted: what a former primary has beyond has gone another way.
	promotedAnnotation = "failover.openova.io/promoted-at"

	// systemAnnotation keeps the system identifier: the operator takes it out of the
	// status while no instance runs.
	systemAnnotation = "failover.openova.io/system-id"
)

// allFenced is the value of fencedAnnotation that stops every instance.
const allFenced = `["*"]`

// A cluster reads a Cluster, which may be of any shape: what is not there, or is
// something else, is empty.
type cluster struct{ *unstructured.Unstructured }

func (c cluster) text(path ...string) string {
	s, _, _ := unstructured.NestedString(c.Object, path...)
	return s
}

func (c cluster) flag(path ...string) bool {
	b, _, _ := unstructured.NestedBool(c.Object, path...)
	return b
}

// stanza is spec.replica itself, nil for none.
func (c cluster) stanza() map[string]any {
	spec, _ := c.Object["spec"].(map[string]any)
	stanza, _ := spec["replica"].(map[string]any)
	return stanza
}

// self is how this Cluster is called in its topology.
func (c cluster) self() string {
	if self := c.text("spec", "replica", "self"); self != "" {
		return self
	}
	return c.GetName()
}

func (c cluster) primary() string { return c.text("spec", "replica", "primary") }

// isReplica reports whether it is to be a replica, by CloudNativePG's own rule.
func (c cluster) isReplica() bool {
	stanza := c.stanza()
	if stanza == nil {
		return false
	}
	if enabled, ok := stanza["enabled"].(bool); ok {
		return enabled
	}
	return c.self() != c.primary()
}

// distributed reports whether its role is set by spec.replica.primary.
func (c cluster) distributed() bool {
	stanza := c.stanza()
	_, enabled := stanza["enabled"].(bool)
	return stanza != nil && !enabled
}

// external are the names of spec.externalClusters.
func (c cluster) external() []string {
	list, _, _ := unstructured.NestedFieldNoCopy(c.Object, "spec", "externalClusters")
	all, _ := list.([]any)
	var names []string
	for _, e := range all {
		entry, _ := e.(map[string]any)
		if name, _ := entry["name"].(string); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// peers are the names of the other Clusters of its topology, those to follow first
// first.
func (c cluster) peers() []string {
	external := c.external()
	names := external
	if list, ok := c.GetAnnotations()[peersAnnotation]; ok {
		names = strings.Split(list, ",")
	}
	var peers []string
	for _, name := range names {
		if name = strings.TrimSpace(name); name != c.self() && slices.Contains(external, name) {
			peers = append(peers, name)
		}
	}
	return peers
}

// follow is the peer to follow, where leader, which may be empty, is known to be the
// primary. It is empty where there is none.
func (c cluster) follow(leader string) string {
	peers := c.peers()
	for _, name := range []string{leader, c.text("spec", "replica", "source")} {
		if slices.Contains(peers, name) {
			return name
		}
	}
	if len(peers) > 0 {
		return peers[0]
	}
	return ""
}

// demotable reports whether it can become a replica.
func (c cluster) demotable() bool { return c.distributed() && len(c.peers()) > 0 }

// switching reports whether the operator makes it a replica, and so takes no other
// change of its role.
func (c cluster) switching() bool {
	return c.flag("status", "switchReplicaClusterStatus", "inProgress")
}

// mayWrite reports whether some instance may not have become a replica yet, though the
// Cluster is to be one.
func (c cluster) mayWrite() bool {
	conditions, _, _ := unstructured.NestedFieldNoCopy(c.Object, "status", "conditions")
	list, _ := conditions.([]any)
	for _, e := range list {
		condition, _ := e.(map[string]any)
		if condition["type"] == "ReplicaClusterDesignatedPrimaryTransition" {
			// The operator lifts the annotation after it has turned True, and removes it last.
			return condition["status"] == "False"
		}
	}
	reported, _, _ := unstructured.NestedFieldNoCopy(c.Object, "status", "instancesReportedState")
	instances, _ := reported.(map[string]any)
	for name := range instances {
		if c.flag("status", "instancesReportedState", name, "isPrimary") {
			return true
		}
	}
	return false
}

// reportedReplica reports whether the operator has last seen an instance as a replica.
func (c cluster) reportedReplica(pod string) bool {
	primary, found, err := unstructured.NestedBool(c.Object, "status", "instancesReportedState", pod, "isPrimary")
	return found && err == nil && !primary
}

// stopped reports whether all instances are to be stopped.
func (c cluster) stopped() bool {
	var names []string
	return json.Unmarshal([]byte(c.GetAnnotations()[fencedAnnotation]), &names) == nil && slices.Contains(names, "*")
}

// stoppedByUs reports whether that is the layer's doing: it leaves its annotation for as
// long as it is.
func (c cluster) stoppedByUs() bool {
	_, ours := c.GetAnnotations()[kube.OriginalAnnotation]
	return ours && c.stopped()
}

// system is PostgreSQL's system identifier, which all Clusters of a topology share, or
// empty while it is not known.
func (c cluster) system() string {
	if system := c.text("status", "systemID"); system != "" {
		return system
	}
	return c.GetAnnotations()[systemAnnotation]
}

// switchoverDelay is how long an instance that is stopped may take to end in order.
func (c cluster) switchoverDelay() time.Duration { return c.seconds("switchoverDelay", 3600) }

// smartShutdownTimeout is for how long an instance that is restarted waits for its
// clients, and takes no others.
func (c cluster) smartShutdownTimeout() time.Duration { return c.seconds("smartShutdownTimeout", 180) }

// seconds is a time of the spec, or CloudNativePG's default for it.
func (c cluster) seconds(field string, unset int64) time.Duration {
	seconds, found, err := unstructured.NestedInt64(c.Object, "spec", field)
	if !found || err != nil {
		seconds = unset
	}
	return time.Duration(min(max(seconds, 0), 1<<31)) * time.Second
}

func (c cluster) paused() bool     { return c.GetAnnotations()[pausedAnnotation] == "disabled" }
func (c cluster) hibernated() bool { return c.GetAnnotations()[hibernateAnnotation] == "on" }
func (c cluster) deleted() bool    { return c.GetDeletionTimestamp() != nil }
func (c cluster) String() string   { return c.GetNamespace() + "/" + c.GetName() }
