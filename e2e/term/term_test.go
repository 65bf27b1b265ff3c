package term

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/agent/term"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var cluster = controlplane.Share(1, controlplane.Options{})

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// limit is far above what anything here takes: two busy cores.
const limit = 2 * time.Minute

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

func newClient(t *testing.T, config *rest.Config) *kube.Client {
	t.Helper()
	client, err := kube.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func record(holder string, n uint64) lease.TermRecord {
	return lease.TermRecord{Holder: holder, Term: n, Beat: n, Epoch: n, Pause: time.Duration(n), Duration: 1500 * time.Millisecond}
}

// read is the record as a register reads it.
func read(t *testing.T, r *term.Register) lease.TermRecord {
	t.Helper()
	got, _, err := r.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func write(t *testing.T, r *term.Register, after, record lease.TermRecord, want lease.TermOutcome) {
	t.Helper()
	if got, err := r.Write(within(t), after, record); got != want || err != nil {
		t.Fatalf("got %v, %v; want %v", got, err, want)
	}
}

// TestRace has eight instances write after the same record, round after round, the first with
// no record there: one of them is acknowledged, all others are refused, and every read that is
// sent after the acknowledgement shows what that one wrote.
func TestRace(t *testing.T) {
	plane := cluster.Planes(t)[0]
	namespace := plane.Namespace(t)
	const instances, rounds = 8, 50
	var registers [instances]*term.Register
	for i := range registers {
		registers[i] = term.New(newClient(t, plane.Config()), namespace, "e2e", "fsn")
	}
	ctx := within(t)
	var after lease.TermRecord
	wins := map[string]int{}
	for round := uint64(1); round <= rounds; round++ {
		var (
			all   sync.WaitGroup
			acked = make(chan string, instances)
			start = make(chan struct{})
		)
		for i, r := range registers {
			all.Go(func() {
				<-start
				name := fmt.Sprintf("instance-%d", i)
				switch outcome, err := r.Write(ctx, after, record(name, round)); {
				case err != nil:
					t.Errorf("round %d: %s: %v", round, name, err)
				case outcome == lease.TermAcked:
					acked <- name
					if got, _, err := registers[(i+1)%instances].Read(ctx); err != nil || got.Holder != name || got.Beat != round {
						t.Errorf("round %d: read %+v, %v after %s was acknowledged", round, got, err, name)
					}
				case outcome != lease.TermRefused:
					t.Errorf("round %d: %s: got %v", round, name, outcome)
				}
			})
		}
		close(start)
		all.Wait()
		close(acked)
		if len(acked) != 1 {
			t.Fatalf("round %d: %d writes are acknowledged, want 1", round, len(acked))
		}
		winner := <-acked
		wins[winner]++
		after = record(winner, round)
	}
	t.Logf("%d rounds, acknowledged: %v", rounds, wins)
}

// TestReadAfterWrite: what is acknowledged is read by another instance at once, again and again.
// The API server's watch cache does not have it yet then.
func TestReadAfterWrite(t *testing.T) {
	plane := cluster.Planes(t)[0]
	namespace := plane.Namespace(t)
	writer, reader := term.New(newClient(t, plane.Config()), namespace, "e2e", "fsn"), term.New(newClient(t, plane.Config()), namespace, "e2e", "fsn")
	stale := 0
	const writes = 200
	for n := uint64(1); n <= writes; n++ {
		after := lease.TermRecord{}
		if n > 1 {
			after = record("a", n-1)
		}
		write(t, writer, after, record("a", n), lease.TermAcked)
		if got := read(t, reader); got.Beat != n {
			stale++
		}
	}
	if stale > 0 {
		t.Errorf("got %d of %d reads that do not show what was acknowledged before", stale, writes)
	}
}

// TestTouched: a write is refused if somebody else has touched the Lease, or removed it: that
// does not bring it back. An empty holder, and the largest term, are taken.
func TestTouched(t *testing.T) {
	plane := cluster.Planes(t)[0]
	namespace := plane.Namespace(t)
	client := newClient(t, plane.Config())
	r, in := term.New(client, namespace, "e2e", "fsn"), client.Resource(leases).Namespace(namespace)
	write(t, r, lease.TermRecord{}, record("a", 1), lease.TermAcked)
	o, err := in.Get(t.Context(), term.LeaseName("e2e", "fsn"), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kube.SetAnnotations(o, map[string]string{"theirs": "1"})
	if _, err := in.Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	write(t, r, record("a", 1), record("a", 2), lease.TermRefused)
	if got := read(t, r); got.Beat != 1 {
		t.Errorf("got %+v, want what was there", got)
	}
	write(t, r, record("a", 1), record("", 2), lease.TermAcked)
	last := record("b", 1<<31-1)
	write(t, r, record("", 2), last, lease.TermAcked)
	if o, err = in.Get(t.Context(), term.LeaseName("e2e", "fsn"), metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	transitions, _, _ := unstructured.NestedInt64(o.Object, "spec", "leaseTransitions")
	seconds, _, _ := unstructured.NestedInt64(o.Object, "spec", "leaseDurationSeconds")
	if o.GetAnnotations()["theirs"] != "1" || transitions != 1<<31-1 || seconds != 2 {
		t.Errorf("got %v", o.Object)
	}
	if err := in.Delete(t.Context(), term.LeaseName("e2e", "fsn"), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	write(t, r, last, record("b", 1<<31-1), lease.TermRefused)
	if got := read(t, r); got.Beat != 0 {
		t.Errorf("got %+v, want none", got)
	}
}

// TestPermission: what Permission says is enough, and without it nothing is taken for a record,
// or for none.
func TestPermission(t *testing.T) {
	plane := cluster.Planes(t)[0]
	home := plane.Namespace(t)
	config := plane.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + home + ":failoverd"}
	client := newClient(t, config)
	r, needed := term.New(client, home, "e2e", "fsn"), term.Permission(home)
	if _, _, err := r.Read(within(t)); err == nil {
		t.Error("a read that is not allowed has no error")
	}
	if got, err := r.Write(within(t), lease.TermRecord{}, record("a", 1)); got != lease.TermUnknown || err == nil {
		t.Errorf("got %v, %v for a write that is not allowed", got, err)
	}
	manifest, err := kube.Manifest("failoverd-"+home, kube.ServiceAccount{Namespace: home, Name: "failoverd"}, []kube.Permission{needed})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, plane, manifest, "apply", "-f", "-")
	ctx := within(t)
	for denied := []string{""}; len(denied) > 0; { // the API server's view of roles lags
		if denied, err = client.Denied(ctx, needed); err != nil {
			t.Fatal(err)
		}
	}
	write(t, r, lease.TermRecord{}, record("a", 1), lease.TermAcked)
	write(t, r, record("a", 1), record("a", 2), lease.TermAcked)
	if got := read(t, r); got.Beat != 2 {
		t.Errorf("got %+v, want what was written", got)
	}
}

func kubectl(t *testing.T, plane *controlplane.Plane, stdin string, args ...string) {
	t.Helper()
	path, err := controlplane.Binary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(within(t), path, append([]string{"--kubeconfig", plane.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl: %v\n%s", err, out)
	}
}
