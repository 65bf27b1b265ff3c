package cnpg

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

func parse(t testing.TB, text string) cluster {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return cluster{o}
}

func order(epoch uint64) layers.Order { return layers.Order{Group: "rtz", Region: "fsn", Epoch: epoch} }

func led(by string) func(cluster) string { return func(cluster) string { return by } }

func how(p promotion, err error) func(cluster) (promotion, error) {
	return func(cluster) (promotion, error) { return p, err }
}

func apply(t testing.TB, edit kube.Edit, c cluster) bool {
	t.Helper()
	changed, err := edit(c.Unstructured)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// head is a Cluster of three regions, seen from fsn; a test adds what it is about.
const head = `
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: db, namespace: shop%META}
spec:
  instances: 2
  externalClusters: [{name: fsn}, {name: hel}, {name: nbg}]
  replica: %REPLICA
status: %STATUS
`

func made(t testing.TB, meta, replica, status string) cluster {
	t.Helper()
	if meta != "" {
		meta = ", " + meta
	}
	if status == "" {
		status = "{}"
	}
	return parse(t, strings.NewReplacer("%META", meta, "%REPLICA", replica, "%STATUS", status).Replace(head))
}

const (
	isPrimary = `{self: fsn, primary: fsn, source: hel}`
	ofHel     = `{self: fsn, primary: hel, source: hel}`
	reported  = `{instancesReportedState: {db-1: {isPrimary: true}, db-2: {isPrimary: false}}}`
)

func TestFence(t *testing.T) {
	const stops = `["*"]`
	for _, tt := range []struct {
		name, meta, replica, status, leader string

		role, fenced, epoch string // afterwards
		same                bool
	}{
		{name: "primary", replica: isPrimary, role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "primary with a token that was used", replica: `{self: fsn, primary: fsn, source: hel, promotionToken: t}`, role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "primary, its leader known", replica: isPrimary, leader: "nbg", role: "nbg<-nbg", fenced: stops, epoch: "7"},
		{name: "its leader unknown to it", replica: isPrimary, leader: "xyz", role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "peers listed", meta: `annotations: {failover.openova.io/peers: " nbg , fsn, xyz"}`, replica: isPrimary, role: "nbg<-nbg", fenced: stops, epoch: "7"},
		{name: "no peers listed", meta: `annotations: {failover.openova.io/peers: ""}`, replica: isPrimary, role: "fsn<-hel", fenced: stops, epoch: "7"},
		{name: "called as the object", replica: `{primary: db, source: hel}`, role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "bears a newer epoch", meta: `annotations: {failover.openova.io/epoch: "9"}`, replica: isPrimary, role: "hel<-hel", fenced: stops, epoch: "9"},
		{name: "some instances fenced", meta: `annotations: {cnpg.io/fencedInstances: '["db-2"]'}`, replica: isPrimary, role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "annotation of no use", meta: `annotations: {cnpg.io/fencedInstances: '*'}`, replica: isPrimary, role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "switching though primary", replica: isPrimary, status: `{switchReplicaClusterStatus: {inProgress: true}}`, role: "fsn<-hel", fenced: stops, epoch: "7"},
		{name: "no topology", replica: `null`, role: "<-", fenced: stops, epoch: "7"},
		{name: "not enabled", replica: `{enabled: false, source: hel}`, role: "<-hel", fenced: stops, epoch: "7"},
		{name: "enabled", replica: `{enabled: true, source: hel}`, role: "<-hel", same: true},
		{name: "of another shape", replica: `[1]`, role: "<-", fenced: stops, epoch: "7"},

		{name: "replica", replica: ofHel, role: "hel<-hel", same: true},
		{name: "replica, the operator has lifted the fence", meta: `annotations: {failover.openova.io/original: '{"fencedInstances":"[\"db-2\"]"}'}`, replica: ofHel, role: "hel<-hel", fenced: `["db-2"]`},
		{name: "replica, the operator has lifted the fence, and is not through", meta: `annotations: {failover.openova.io/original: '{}'}`, replica: ofHel, status: `{switchReplicaClusterStatus: {inProgress: true}}`, role: "hel<-hel", same: true},
		{name: "replica that was stopped by hand", meta: `annotations: {cnpg.io/fencedInstances: '["*"]'}`, replica: ofHel, role: "hel<-hel", fenced: stops, same: true},
		{name: "replica of another", replica: ofHel, leader: "nbg", role: "nbg<-nbg"},
		{name: "replica, switching", replica: ofHel, leader: "nbg", status: `{switchReplicaClusterStatus: {inProgress: true}}`, role: "hel<-hel", same: true},
		{name: "replica of one that is no peer", replica: ofHel, leader: "xyz", role: "hel<-hel", same: true},
		{name: "replica that may write", replica: ofHel, status: reported, role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "replica, its change under way", replica: ofHel, status: `{conditions: [{type: ReplicaClusterDesignatedPrimaryTransition, status: "False"}]}`, role: "hel<-hel", fenced: stops, epoch: "7"},
		{name: "replica, the operator is about to lift the fence", replica: ofHel, status: `{instancesReportedState: {db-1: {isPrimary: true}}, conditions: [7, {type: ReplicaClusterDesignatedPrimaryTransition, status: "True"}]}`, role: "hel<-hel", same: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := made(t, tt.meta, tt.replica, tt.status)
			if changed := apply(t, fence(order(7), led(tt.leader)), c); changed == tt.same {
				t.Errorf("changed: %v, want %v", changed, !tt.same)
			}
			got := c.primary() + "<-" + c.text("spec", "replica", "source")
			if got != tt.role {
				t.Errorf("role: got %s, want %s", got, tt.role)
			}
			if got := c.GetAnnotations()[fencedAnnotation]; got != tt.fenced {
				t.Errorf("%s: got %q, want %q", fencedAnnotation, got, tt.fenced)
			}
			if got := c.GetAnnotations()[kube.EpochAnnotation]; got != tt.epoch {
				t.Errorf("epoch: got %q, want %q", got, tt.epoch)
			}
			if c.text("spec", "replica", "promotionToken") != "" {
				t.Error("the token was left")
			}
			if apply(t, fence(order(7), led(tt.leader)), c) {
				t.Error("fenced again: it was changed")
			}
		})
	}
}

func TestActivate(t *testing.T) {
	for _, tt := range []struct {
		name, meta, replica, status string
		how                         func(cluster) (promotion, error)

		primary, token string // afterwards
		same           bool
		err            string
	}{
		{name: "replica", replica: ofHel, how: how(promotion{"tok", "0/7"}, nil), primary: "fsn", token: "tok"},
		{name: "replica, no token", replica: `{self: fsn, primary: hel, source: hel, promotionToken: old}`, how: how(promotion{}, nil), primary: "fsn"},
		{name: "replica that waits", replica: ofHel, how: how(promotion{}, errors.New("waiting for hel")), primary: "hel", err: "waiting for hel"},
		{name: "primary", replica: isPrimary, primary: "fsn"},
		{name: "primary with its token", replica: `{self: fsn, primary: fsn, source: hel, promotionToken: tok}`, primary: "fsn", token: "tok"},
		{name: "switching", replica: ofHel, status: `{switchReplicaClusterStatus: {inProgress: true}}`, primary: "hel", err: "still demoting"},
		{name: "newer epoch", meta: `annotations: {failover.openova.io/epoch: "9"}`, replica: ofHel, primary: "hel", err: "epoch 9"},
		{name: "deleted", meta: `deletionTimestamp: "2026-01-01T00:00:00Z"`, replica: ofHel, primary: "hel", same: true},
		{name: "hibernated replica", meta: `annotations: {cnpg.io/hibernation: "on"}`, replica: ofHel, primary: "hel", same: true},
		{name: "enabled", replica: `{enabled: true, source: hel}`, err: "spec.replica.enabled"},
		{name: "no topology", replica: `null`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := made(t, tt.meta, tt.replica, tt.status)
			before := c.DeepCopy()
			changed, err := activate(order(8), tt.how)(c.Unstructured)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("got error %v, want %q", err, tt.err)
			}
			if same := reflect.DeepEqual(before, c.Unstructured); same != (tt.same || err != nil) || changed == same {
				t.Errorf("changed: %v, and it is the same: %v", changed, same)
			}
			if c.primary() != tt.primary || c.text("spec", "replica", "promotionToken") != tt.token {
				t.Errorf("got primary %q with token %q, want %q with %q", c.primary(), c.text("spec", "replica", "promotionToken"), tt.primary, tt.token)
			}
			if err != nil {
				return
			}
			if !tt.same && c.GetAnnotations()[kube.EpochAnnotation] != "8" {
				t.Errorf("epoch: got %q, want 8", c.GetAnnotations()[kube.EpochAnnotation])
			}
			if changed, err := activate(order(8), nil)(c.Unstructured); changed || err != nil {
				t.Errorf("activated again: changed %v, %v", changed, err)
			}
		})
	}
}

// What stopped instances before comes back, whether or not the operator has lifted the
// fence meanwhile; and a Cluster that can't be demoted is as before.
func TestFenceAndActivate(t *testing.T) {
	for _, before := range []string{"", `["db-2"]`, `["*"]`, `["*","db-2"]`} {
		for _, replica := range []string{isPrimary, `null`} {
			for _, lifted := range []bool{false, true} {
				c := made(t, `annotations: {owner: web}`, replica, "")
				if before != "" {
					kube.SetAnnotations(c.Unstructured, map[string]string{fencedAnnotation: before})
				}
				want := c.DeepCopy()
				apply(t, fence(order(7), led("")), c)
				if !c.stopped() {
					t.Fatalf("%s, fenced: it is not stopped", before)
				}
				if lifted {
					kube.SetAnnotations(c.Unstructured, map[string]string{fencedAnnotation: ""})
				}
				apply(t, fence(order(7), led("")), c)
				apply(t, activate(order(8), how(promotion{}, nil)), c)
				kube.SetAnnotations(want, map[string]string{kube.EpochAnnotation: "8"})
				if replica != "null" {
					want.Object["spec"].(map[string]any)["replica"].(map[string]any)["source"] = "hel"
				}
				if !reflect.DeepEqual(c.Unstructured, want) {
					t.Errorf("fenced instances %q, lifted %v: got\n%v\nwant\n%v", before, lifted, c.Object, want.Object)
				}
			}
		}
	}
}

// TestTerm: once an instance of a region has acted, one of an earlier term promotes nothing, whatever the Cluster was; a
// replica bears the term alone, and the epoch that it had.
func TestTerm(t *testing.T) {
	of := func(epoch, term uint64) layers.Order {
		order := order(epoch)
		order.Term = term
		return order
	}
	for _, tt := range []struct{ replica, bears, want string }{
		{isPrimary, "7/5", "8/6"},
		{ofHel, "7/5", "7/6"},
		{ofHel, "", "0/6"},
		{ofHel, "7", "7/6"},
		{ofHel, "7/9", "7/9"}, // a fence takes no term back
	} {
		c := made(t, "", tt.replica, "")
		kube.SetAnnotations(c.Unstructured, map[string]string{kube.EpochAnnotation: tt.bears})
		apply(t, fence(of(8, 6), led("hel")), c)
		if got := c.GetAnnotations()[kube.EpochAnnotation]; got != tt.want {
			t.Errorf("%s, bearing %q, fenced for 8/6: it bears %q, want %q", tt.replica, tt.bears, got, tt.want)
		}
		var stale *kube.StaleError
		if _, err := activate(of(9, 5), how(promotion{}, nil))(c.Unstructured); !errors.As(err, &stale) {
			t.Errorf("%s, bearing %q, fenced in term 6, and activated in term 5: got %v, want it refused", tt.replica, tt.bears, err)
		}
	}
	c := made(t, "", ofHel, "")
	apply(t, fence(order(8), led("hel")), c)
	if bears, has := c.GetAnnotations()[kube.EpochAnnotation]; has {
		t.Errorf("a replica that the only agent fences bears %q", bears)
	}
}

// FuzzCluster fences and activates whatever an API server without validation could
// hold: nothing crashes, what is fenced stays so, and what is fenced and activated is
// a primary that is not stopped by us.
func FuzzCluster(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"Cluster","metadata":{"name":"db"},"spec":{"externalClusters":[{"name":"a"},{"name":"b"}],"replica":{"self":"a","primary":"a","source":"b"}}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Cluster","spec":{"externalClusters":[null,7,{"name":3}],"replica":{"self":1,"primary":[]}},"status":{"conditions":[3,{"type":"ReplicaClusterDesignatedPrimaryTransition","status":"False"}]}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Cluster","metadata":{"annotations":{"cnpg.io/fencedInstances":"[\"*\"]","failover.openova.io/original":"{"}},"spec":[],"status":{"instancesReportedState":{"a":null,"b":{"isPrimary":true}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &unstructured.Unstructured{}
		if o.UnmarshalJSON(data) != nil {
			return
		}
		if _, ok := o.Object["metadata"].(map[string]any); !ok && o.Object["metadata"] != nil {
			return // no API server holds that, and nothing can be written on it
		}
		c := cluster{o}
		apply(t, fence(order(1), led("b")), c)
		if apply(t, fence(order(1), led("b")), c) {
			t.Error("fenced again: it was changed")
		}
		if !c.isReplica() && !c.stopped() {
			t.Error("fenced: it is a primary that runs")
		}
		say(c, position{}, testTime)
		switch _, err := activate(order(1<<63), how(promotion{}, nil))(o); {
		case err != nil || c.deleted() || c.hibernated():
		case c.isReplica():
			t.Error("activated: it is a replica")
		case apply(t, activate(order(1<<63), nil), c):
			t.Error("activated again: it was changed")
		}
	})
}
