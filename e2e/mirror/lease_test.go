package mirror

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/agent/mirror"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// TestLease follows an agent through what it can be, and has others meddle with the Lease.
func TestLease(t *testing.T) {
	plane := cluster.Planes(t)[0]
	s := start(t, plane.Config(), plane.Namespace(t))
	s.Show(lease.Decision{State: lease.Fencing}, nil)
	daemon.Await(t, "a Lease without a holder", func() bool { return holder(readLease(s.client, s.namespace)) == "" })

	s.Show(active(7, time.Second), nil)
	daemon.Await(t, "fsn holds it", func() bool { return holder(readLease(s.client, s.namespace)) == "fsn" })
	if got := readLease(s.client, s.namespace); transitions(got) != 7 {
		t.Errorf("got %d transitions, want the epoch, 7", transitions(got))
	}
	// At rest it is written again, so that its renewTime goes on.
	renewed := func() string {
		at, _, _ := unstructured.NestedString(readLease(s.client, s.namespace).Object, "spec", "renewTime")
		return at
	}
	was := renewed()
	s.Show(active(7, 0), nil)
	daemon.Await(t, "a later renewTime", func() bool { return renewed() > was })

	// Who changes it or deletes it changes nothing.
	kubectl(t, plane, "", "-n", s.namespace, "patch", "lease", mirror.LeaseName("e2e"), "--type=merge", "-p", `{"spec":{"holderIdentity":"mallory","leaseTransitions":9}}`)
	daemon.Await(t, "what is, again", func() bool { o := readLease(s.client, s.namespace); return holder(o) == "fsn" && transitions(o) == 7 })
	kubectl(t, plane, "", "-n", s.namespace, "delete", "lease", mirror.LeaseName("e2e"))
	daemon.Await(t, "the Lease again", func() bool { return holder(readLease(s.client, s.namespace)) == "fsn" })

	s.Show(lease.Decision{Now: lease.Instant(time.Hour), State: lease.Standby, Holder: "hel"}, []lease.PeerView{{Region: "hel", Epoch: 8, Evidence: lease.Instant(time.Hour)}})
	daemon.Await(t, "hel holds it", func() bool { o := readLease(s.client, s.namespace); return holder(o) == "hel" && transitions(o) == 8 })
	// What is left is written when the agent ends.
	s.Show(lease.Decision{Now: lease.Instant(time.Hour), State: lease.Standby}, nil)
	s.stop()
	if got := readLease(s.client, s.namespace); holder(got) != "" || transitions(got) != 8 {
		t.Errorf("in the end: got holder %q and %d transitions, want none and 8", holder(got), transitions(got))
	}
	if got := s.logged(); got != "" {
		t.Errorf("it complains:\n%s", got)
	}
}

// TestFollower has an instance act, and then follow another one: it leaves the Lease to that one.
func TestFollower(t *testing.T) {
	plane := cluster.Planes(t)[0]
	first := start(t, plane.Config(), plane.Namespace(t))
	first.Show(active(7, 0), nil)
	daemon.Await(t, "fsn holds it", func() bool { return holder(readLease(first.client, first.namespace)) == "fsn" })
	first.Show(lease.Decision{State: lease.Follower}, nil)
	wrote := counted(t, first.Mirror, "ok")
	second := start(t, plane.Config(), first.namespace)
	second.Show(active(8, 0), nil)
	daemon.Await(t, "the other one has written it five times", func() bool { return counted(t, second.Mirror, "ok") >= 5 })
	if got := counted(t, first.Mirror, "ok"); got > wrote+1 { // one may have been under way
		t.Errorf("the one that follows wrote it %v times", got-wrote)
	}
	if got := transitions(readLease(first.client, first.namespace)); got != 8 {
		t.Errorf("got %d transitions, want 8", got)
	}
}

// TestForeignLease: an object that is someone else's stays as it is, and that is said once. When it is gone the
// Lease is there.
func TestForeignLease(t *testing.T) {
	plane := cluster.Planes(t)[0]
	namespace := plane.Namespace(t)
	client := newClient(t, plane.Config())
	theirs := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": map[string]any{"name": mirror.LeaseName("e2e")},
		"spec": map[string]any{"holderIdentity": "somebody"},
	}}
	before, err := client.Resource(leases).Namespace(namespace).Create(t.Context(), theirs, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, plane.Config(), namespace)
	s.Show(active(1, 0), nil)
	daemon.Await(t, "three attempts", func() bool { return counted(t, s, "error") >= 3 })
	if after := readLease(client, namespace); !reflect.DeepEqual(before, after) {
		t.Errorf("it was changed: got %v, want %v", after, before)
	}
	var foreign *mirror.ForeignError
	if err := s.Check(t.Context()); !errors.As(err, &foreign) {
		t.Errorf("Check says %v, want a *ForeignError", err)
	}
	if got := s.logged(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "is not this agent's") || !strings.Contains(got, "kubernetes.namespace") {
		t.Errorf("it logs:\n%s\nwant one line that says what to do", got)
	}
	kubectl(t, plane, "", "-n", namespace, "delete", "lease", mirror.LeaseName("e2e"))
	daemon.Await(t, "its own Lease", func() bool { return holder(readLease(client, namespace)) == "fsn" })
	daemon.Await(t, "that it works again", func() bool { return strings.Contains(s.logged(), "works again") })
}

// TestLeastPrivilege gives a service account nothing, and then what the mirror says that it needs.
func TestLeastPrivilege(t *testing.T) {
	plane := cluster.Planes(t)[0]
	home, other := plane.Namespace(t), plane.Namespace(t)
	config := plane.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + home + ":failoverd"}
	s, admin := start(t, config, home), newClient(t, plane.Config())
	s.Transition(lease.Transition{From: lease.Candidate, To: lease.Active, Epoch: 1, Reason: lease.ReasonTaken})
	fenced := kube.Event{Object: kube.Reference{APIVersion: "v1", Kind: "Service", Namespace: other, Name: "shop"}, Action: layers.Fence}
	fenced.Order.Reason = lease.ReasonReleased
	s.Record(fenced)
	s.Show(active(1, 0), nil)
	daemon.Await(t, "what is refused", func() bool { return counted(t, s, "error") >= 3 })
	if got := s.logged(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "cannot get resource") || !strings.Contains(got, "cannot create resource") {
		t.Errorf("it logs:\n%s\nwant a line each for the Lease and for Events", got)
	}
	needed := mirror.Permissions(home, []string{home, other})
	manifest, err := kube.Manifest("failoverd-"+home, kube.ServiceAccount{Namespace: home, Name: "failoverd"}, needed)
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, plane, manifest, "apply", "-f", "-")
	daemon.Await(t, "the Lease", func() bool { return holder(readLease(admin, home)) == "fsn" })
	for _, p := range needed {
		if denied, err := s.client.Denied(t.Context(), p); err != nil || len(denied) > 0 {
			t.Errorf("%s: denied %v, %v", p.Resource, denied, err)
		}
	}
	// An Event that was refused is not lost for good: it comes when the same happens again.
	s.Record(fenced)
	daemon.Await(t, "an Event about the object", func() bool { return len(about(t, admin, other, "shop")) == 1 })
	s.Transition(lease.Transition{From: lease.Active, To: lease.Fencing, Epoch: 1, Reason: lease.ReasonReleased})
	daemon.Await(t, "an Event about the Lease", func() bool { return len(about(t, admin, home, mirror.LeaseName("e2e"))) == 1 })
}
