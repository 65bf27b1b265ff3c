package cilium

import (
	"testing"

	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/ipcache/types"
	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/u8proto"
	"sigs.k8s.io/yaml"
)

// A peer is what a fenced pod may talk to.
type peer struct {
	name     string
	identity *identity.Identity
	out, in  bool // whether a fenced pod reaches it, and it a fenced pod
}

// peers are all kinds of them.
func peers(e *engine, group string) []peer {
	pod := func(cluster string, more ...string) *identity.Identity {
		return e.identity(append(more, "k8s:io.kubernetes.pod.namespace=other", "k8s:io.cilium.k8s.policy.cluster="+cluster)...)
	}
	scoped := func(n identity.NumericIdentity, text ...string) *identity.Identity {
		id := identity.NewIdentity(n, labels.NewLabelsFromModel(text))
		engines.Lock()
		defer engines.Unlock()
		e.know(id)
		return id
	}
	remoteID := func(n identity.NumericIdentity, text ...string) *identity.Identity { // of the cluster 2
		return scoped(2<<16|n, append(text, "k8s:io.kubernetes.pod.namespace=other", "k8s:io.cilium.k8s.policy.cluster="+remote)...)
	}
	return []peer{
		{"a pod of this cluster", pod(cluster, "k8s:app=other"), true, false},
		{"its DNS", pod(cluster, "k8s:k8s-app=kube-dns"), true, false},
		{"its database", pod(cluster, "k8s:cnpg.io/cluster=pg", "k8s:failover.openova.io/group="+group), true, false},
		{"a pod of another cluster", remoteID(301, "k8s:app=other"), false, false},
		{"a pod of the group in another cluster", remoteID(302, "k8s:failover.openova.io/group="+group), false, false},
		{"a database in another cluster", remoteID(303, "k8s:cnpg.io/cluster=pg", "k8s:failover.openova.io/group="+group), false, false},
		{"DNS of another cluster", remoteID(304, "k8s:k8s-app=kube-dns"), false, false},
		{"the world", e.reserved(identity.ReservedIdentityWorld), false, false},
		{"the world, IPv4", e.reserved(identity.ReservedIdentityWorldIPv4), false, false},
		{"the world, IPv6", e.reserved(identity.ReservedIdentityWorldIPv6), false, false},
		{"an address", scoped(identity.IdentityScopeLocal|1, "cidr:203.0.113.7/32", "reserved:world"), false, false},
		{"a name", scoped(identity.IdentityScopeLocal|2, "fqdn:db.example.com", "reserved:world-ipv4"), false, false},
		{"the API server, outside", scoped(identity.IdentityScopeLocal|3, "cidr:203.0.113.8/32", "reserved:world", "reserved:kube-apiserver"), true, false},
		{"the API server, on another node", e.reserved(identity.ReservedIdentityKubeAPIServer), true, false},
		{"another node", e.reserved(identity.ReservedIdentityRemoteNode), false, false},
		{"another node, by its name", scoped(identity.IdentityScopeRemoteNode|1, "reserved:remote-node", "node:name=n2"), false, false},
		{"its own node", e.reserved(identity.ReservedIdentityHost), true, true},
		{"the gateway", e.reserved(identity.ReservedIdentityIngress), false, false},
		{"health checks of the mesh", e.reserved(identity.ReservedIdentityHealth), true, true},
		{"a pod that Cilium does not manage", e.reserved(identity.ReservedIdentityUnmanaged), true, false},
	}
}

// try compares who reaches whom with what is wanted.
func try(t *testing.T, e *engine, pod *identity.Identity, all []peer) {
	t.Helper()
	for _, p := range all {
		for _, port := range []struct {
			proto  u8proto.U8proto
			number uint16
		}{{u8proto.TCP, 443}, {u8proto.UDP, 53}} {
			out, _, err := e.passes(pod, p.identity, port.proto, port.number)
			if err != nil {
				t.Fatal(err)
			}
			_, in, err := e.passes(p.identity, pod, port.proto, port.number)
			if err != nil {
				t.Fatal(err)
			}
			if out != p.out || in != p.in {
				t.Errorf("%s, %v %d: got reached %v and reaches it %v, want %v and %v", p.name, port.proto, port.number, out, in, p.out, p.in)
			}
		}
	}
}

// open is all peers, with nothing denied.
func open(all []peer) (out []peer) {
	for _, p := range all {
		p.in, p.out = true, true
		out = append(out, p)
	}
	return out
}

// TestPolicyDenies has the layer write its policy to a real API server, which holds it against Cilium's schema, and asks
// Cilium's policy engine what it denies.
func TestPolicyDenies(t *testing.T) {
	a := startAgent(t)
	w := newWorld(t, region.Planes(t)[0], a)
	if err := w.Fence(within(t, limit), w.order(1)); err != nil {
		t.Fatal(err)
	}
	p, err := w.storedPolicy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	group := "k8s:failover.openova.io/group=" + w.group
	mine := []string{group, "k8s:io.kubernetes.pod.namespace=" + w.namespace, "k8s:io.cilium.k8s.policy.cluster=" + cluster}
	e := newEngine()
	if err := e.set(types.ResourceKindCCNP, "fence", p, nil); err != nil {
		t.Fatal(err)
	}
	all := peers(e, w.group)

	t.Run("fenced", func(t *testing.T) { try(t, e, e.identity(mine...), all) })
	t.Run("a database is not", func(t *testing.T) {
		try(t, e, e.identity(append(mine, "k8s:cnpg.io/cluster=pg")...), open(all))
	})
	t.Run("another group is not", func(t *testing.T) { try(t, e, e.identity(append(mine[1:], group+"x")...), open(all)) })
	t.Run("another namespace is not", func(t *testing.T) {
		try(t, e, e.identity(group, "k8s:io.kubernetes.pod.namespace=another", "k8s:io.cilium.k8s.policy.cluster="+cluster), open(all))
	})
	t.Run("whatever else is allowed", func(t *testing.T) {
		set(t, e, "allow", `{metadata: {name: allow, namespace: `+w.namespace+`}, spec: {endpointSelector: {},
			ingress: [{fromEntities: [all]}, {fromEntities: [world]}, {toPorts: [{ports: [{port: "443", protocol: TCP}]}]}],
			egress: [{toEntities: [all]}, {toCIDR: [203.0.113.7/32]}]}}`)
		try(t, e, e.identity(mine...), all)
		set(t, e, "allow", "")
	})
	t.Run("it allows nothing that others deny", func(t *testing.T) {
		set(t, e, "deny", `{metadata: {name: deny, namespace: `+w.namespace+`}, spec: {endpointSelector: {}, ingress: [{}], egress: [{}]}}`)
		closed := open(all)
		for i := range closed {
			closed[i].in, closed[i].out = false, false
		}
		try(t, e, e.identity(mine...), closed)
		set(t, e, "deny", "")
	})
	t.Run("by the static file", func(t *testing.T) {
		e := newEngine()
		p, err := readStatic(a.Static + "/" + w.policy() + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := e.set(types.ResourceKindFile, "fence", p, nil); err != nil {
			t.Fatal(err)
		}
		try(t, e, e.identity(mine...), peers(e, w.group))
	})
	t.Run("activated", func(t *testing.T) {
		if err := w.Activate(within(t, limit), w.order(2)); err != nil {
			t.Fatal(err)
		}
		e := newEngine()
		p, err := readStatic(a.Static + "/" + w.policy() + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if err := e.set(types.ResourceKindFile, "idle", p, nil); err != nil {
			t.Fatal(err)
		}
		try(t, e, e.identity(mine...), open(peers(e, w.group)))
	})
}

// TestPolicyOfUnknownCluster has nobody tell the cluster's name: its pods are denied too then, but for DNS.
func TestPolicyOfUnknownCluster(t *testing.T) {
	w := newWorld(t, region.Planes(t)[0], nil)
	if err := w.Fence(within(t, limit), w.order(1)); err != nil {
		t.Fatal(err)
	}
	p, err := w.storedPolicy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine()
	if err := e.set(types.ResourceKindCCNP, "fence", p, nil); err != nil {
		t.Fatal(err)
	}
	all := peers(e, w.group)
	for i := range all {
		switch all[i].name {
		case "a pod of this cluster", "its database":
			all[i].out = false
		case "DNS of another cluster":
			all[i].out = true
		}
	}
	try(t, e, e.identity("k8s:failover.openova.io/group="+w.group, "k8s:io.kubernetes.pod.namespace="+w.namespace, "k8s:io.cilium.k8s.policy.cluster="+cluster), all)
}

// set has a policy of somebody else, or takes it away.
func set(t *testing.T, e *engine, name, text string) {
	t.Helper()
	var p *v2.CiliumNetworkPolicy
	if text != "" {
		p = &v2.CiliumNetworkPolicy{}
		if err := yaml.Unmarshal([]byte(text), p); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.set(types.ResourceKindCNP, name, p, nil); err != nil {
		t.Fatal(err)
	}
}
