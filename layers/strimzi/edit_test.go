package strimzi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

func parse(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

func order(epoch uint64) layers.Order { return layers.Order{Group: "rtz", Region: "fsn", Epoch: epoch} }

func apply(t testing.TB, edit kube.Edit, o *unstructured.Unstructured) bool {
	t.Helper()
	changed, err := edit(o)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func led(by said) func(*unstructured.Unstructured) (said, bool) {
	return func(*unstructured.Unstructured) (said, bool) { return by, by.Epoch > 0 }
}

// orders mirrors three Kafkas into that of fsn.
const orders = `
apiVersion: kafka.strimzi.io/v1
kind: KafkaMirrorMaker2
metadata: {name: orders, namespace: shop, generation: 1, annotations: {owner: web}}
spec:
  replicas: 1
  target: {alias: fsn, bootstrapServers: kafka}
  mirrors:
  - source: {alias: hel, bootstrapServers: hel}
    sourceConnector: {tasksMax: 3}
    checkpointConnector: {state: running}
  - source: {alias: nbg, bootstrapServers: nbg}
    sourceConnector: {state: paused}
  - source: {alias: old, bootstrapServers: old}
    sourceConnector: {state: stopped}
`

func states(o *unstructured.Unstructured) string {
	var all []string
	for _, c := range connectorsOf(o) {
		state, ok := c.state()
		if !ok {
			state = "-"
		}
		all = append(all, state)
	}
	return strings.Join(all, " ")
}

func TestActivateAndFence(t *testing.T) {
	const asInGit, allStopped = "- running paused stopped", "stopped stopped stopped stopped"
	o := parse(t, orders)
	before := o.DeepCopy()
	check := func(what, want string, epoch uint64) {
		t.Helper()
		if got := states(o); got != want || kube.Epoch(o) != epoch {
			t.Errorf("%s: got states %s, epoch %d; want %s, epoch %d", what, got, kube.Epoch(o), want, epoch)
		}
	}
	if apply(t, fence(order(0), led(said{})), o) {
		t.Error("fenced, and never activated: it was changed")
	}
	apply(t, activate(order(5)), o)
	check("activated", allStopped, 5)
	if apply(t, activate(order(5)), o) {
		t.Error("activated again: it was changed")
	}
	if apply(t, fence(order(0), led(said{})), o) || apply(t, fence(order(0), led(said{Target: "hel", Epoch: 4})), o) {
		t.Error("fenced, and nobody has been active since: it was changed")
	}
	if _, err := activate(order(4))(o); err == nil || !strings.Contains(err.Error(), "epoch 5") {
		t.Errorf("activated under an older epoch: got %v, want a refusal", err)
	}
	apply(t, fence(order(0), led(said{Target: "hel", Epoch: 6})), o)
	check("hel is active", "- running stopped stopped", 6)
	if apply(t, fence(order(0), led(said{Target: "hel", Epoch: 6})), o) || apply(t, fence(order(0), led(said{})), o) {
		t.Error("hel is active still, or silent: it was changed")
	}
	apply(t, fence(order(0), led(said{Target: "nbg", Epoch: 7})), o)
	check("nbg is active", "stopped stopped paused stopped", 7)
	apply(t, activate(order(8)), o)
	check("activated again", allStopped, 8)

	// Alone it is right whatever the other calls its Kafka.
	spec := o.Object["spec"].(map[string]any)
	spec["mirrors"] = spec["mirrors"].([]any)[:1]
	apply(t, fence(order(0), led(said{Target: "helsinki", Epoch: 9})), o)
	check("alone", "- running", 9)
	spec["mirrors"] = before.Object["spec"].(map[string]any)["mirrors"].([]any)[:1]
	kube.SetAnnotations(before, map[string]string{kube.EpochAnnotation: "9"})
	before.Object["spec"] = spec
	if !reflect.DeepEqual(o.Object, before.Object) {
		t.Errorf("got\n%v\nwant\n%v", o.Object, before.Object)
	}
}

// TestTerm: once an instance of a region has acted, one of an earlier term stops nothing; and a fence, which is never
// refused, takes no term back.
func TestTerm(t *testing.T) {
	o := parse(t, orders)
	of := func(epoch, term uint64) layers.Order {
		order := order(epoch)
		order.Term = term
		return order
	}
	check := func(what, want string) {
		t.Helper()
		if got := o.GetAnnotations()[kube.EpochAnnotation]; got != want {
			t.Errorf("%s: it bears %s, want %s", what, got, want)
		}
	}
	refused := func(by layers.Order) {
		t.Helper()
		before := states(o)
		var stale *kube.StaleError
		if _, err := activate(by)(o); !errors.As(err, &stale) || states(o) != before {
			t.Errorf("activated for epoch %d in term %d: got %v and states %s, want it refused", by.Epoch, by.Term, err, states(o))
		}
	}
	apply(t, activate(of(7, 5)), o)
	check("activated in term 5", "7/5")
	apply(t, fence(of(7, 6), led(said{})), o)
	check("fenced in term 6", "7/6")
	refused(of(7, 5))
	apply(t, activate(of(7, 7)), o)
	check("activated in term 7", "7/7")
	refused(of(7, 6))
	apply(t, fence(of(0, 6), led(said{Target: "hel", Epoch: 8})), o)
	check("fenced in term 6", "8/7")
	refused(of(8, 6))
	apply(t, fence(of(0, 8), led(said{Target: "hel", Epoch: 8})), o)
	check("fenced in term 8", "8/8")
	if apply(t, fence(of(0, 8), led(said{Target: "hel", Epoch: 8})), o) {
		t.Error("fenced again: it was changed")
	}
}

// What others make of it while it is stopped.
func TestChangedWhileStopped(t *testing.T) {
	o := parse(t, orders)
	apply(t, activate(order(5)), o)
	spec := o.Object["spec"].(map[string]any)
	first := spec["mirrors"].([]any)[0].(map[string]any)
	first["sourceConnector"].(map[string]any)["state"] = "paused"
	spec["mirrors"] = append([]any{map[string]any{"source": map[string]any{"alias": "new"}, "sourceConnector": map[string]any{}}}, spec["mirrors"].([]any)...)
	if !apply(t, activate(order(5)), o) || states(o) != "stopped stopped stopped stopped stopped" {
		t.Errorf("started by others: got %s, want all stopped", states(o))
	}
	apply(t, fence(order(0), led(said{Target: "hel", Epoch: 6})), o)
	if got, want := states(o), "stopped paused running stopped stopped"; got != want {
		t.Errorf("hel is active: got %s, want %s", got, want)
	}

	o = parse(t, "{apiVersion: kafka.strimzi.io/v1, kind: KafkaMirrorMaker2, metadata: {name: none}, spec: {target: {alias: fsn}}, status: {conditions: [{type: Ready, status: 'True'}]}}")
	apply(t, activate(order(5)), o)
	if got := say(o).Epoch; got != 5 {
		t.Errorf("it has no connector: says epoch %d, want 5", got)
	}

	o = parse(t, orders)
	apply(t, activate(order(5)), o)
	kube.SetAnnotations(o, map[string]string{kube.OriginalAnnotation: "{"})
	apply(t, fence(order(0), led(said{Target: "nbg", Epoch: 6})), o)
	if got, want := states(o), "stopped stopped - stopped"; got != want {
		t.Errorf("the annotation is of no use: got %s, want %s", got, want)
	}
}

func TestSettled(t *testing.T) {
	const (
		ready    = `conditions: [{type: Warning, status: "True"}, {type: Ready, status: "True"}]`
		notReady = `conditions: [{type: NotReady, status: "True", reason: InvalidResourceException, message: no Secret hel}]`
		failed   = "can't reconcile it: InvalidResourceException: no Secret hel; mend that"
		first    = `{name: "hel->fsn.MirrorSourceConnector", connector: {state: STOPPED}}`
		others   = `{name: "hel->fsn.MirrorCheckpointConnector", connector: {state: STOPPED}}, {name: "nbg->fsn.MirrorSourceConnector", connector: {state: STOPPED}}, {name: "old->fsn.MirrorSourceConnector", connector: {state: STOPPED}}`
	)
	for _, tt := range []struct {
		name, status string
		paused, none bool // no workers
		want         string
	}{
		{name: "not seen", status: `{}`, want: "waiting for Strimzi's operator to see"},
		{name: "paused", status: `{}`, paused: true, want: "remove that"},
		{name: "paused, and seen before", status: `{observedGeneration: 1, conditions: [{type: ReconciliationPaused, status: "True"}]}`, paused: true, want: "remove that"},
		{name: "still running", status: `{observedGeneration: 1, ` + ready + `, connectors: [{name: "hel->fsn.MirrorSourceConnector", connector: {state: RUNNING}}, ` + others + `]}`, want: "hel->fsn.MirrorSourceConnector to stop; it is RUNNING"},
		{name: "stopped", status: `{observedGeneration: 1, ` + ready + `, connectors: [` + first + `, ` + others + `, {name: "hel->fsn.MirrorHeartbeatConnector", connector: {state: RUNNING}}]}`},
		{name: "failed before it came to the connectors", status: `{observedGeneration: 1, ` + notReady + `}`, want: failed},
		{name: "failed at one", status: `{observedGeneration: 1, ` + notReady + `, connectors: [` + others + `]}`, want: failed},
		// One that the resource states no more runs on then.
		{name: "failed at one that it was to remove", status: `{observedGeneration: 1, ` + notReady + `, connectors: [` + first + `, ` + others + `]}`, want: failed},
		{name: "failed, and does not say at what", status: `{observedGeneration: 1, conditions: [{type: NotReady, status: "True", reason: NullPointerException}]}`, want: "can't reconcile it: NullPointerException; mend that"},
		{name: "not ready", status: `{observedGeneration: 1, conditions: [{type: Ready, status: "False"}], connectors: [` + first + `, ` + others + `]}`, want: "waiting for Strimzi's operator to say that it is ready"},
		{name: "does not say so", status: `{observedGeneration: 1, connectors: [` + first + `, ` + others + `]}`, want: "waiting for Strimzi's operator to say that it is ready"},
		{name: "one is not named", status: `{observedGeneration: 1, ` + ready + `, connectors: [` + others + `]}`, want: "hel->fsn.MirrorSourceConnector to stop; Strimzi's operator says nothing of it"},
		{name: "of another shape", status: `{observedGeneration: 1, conditions: [3, {type: 7}, {type: Ready, status: "True"}], connectors: [3, {name: 7}, {connector: []}]}`, want: "says nothing of it"},
		{name: "no workers, and it is not seen", status: `{}`, none: true, want: "waiting for Strimzi's operator to see"},
		{name: "no workers, and it failed to end them", status: `{observedGeneration: 1, ` + notReady + `}`, none: true, want: failed},
		{name: "no workers", status: `{observedGeneration: 1, ` + ready + `}`, none: true},
	} {
		o := parse(t, orders)
		apply(t, activate(order(5)), o)
		o.Object["status"] = parse(t, "{kind: x, apiVersion: v1, status: "+tt.status+"}").Object["status"]
		if tt.paused {
			kube.SetAnnotations(o, map[string]string{pauseAnnotation: "true"})
		}
		if tt.none {
			o.Object["spec"].(map[string]any)["replicas"] = int64(0)
		}
		err := settled(o)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if epoch := say(o).Epoch; (epoch == 5) != (err == nil) {
			t.Errorf("%s: says epoch %d, and it is settled: %v", tt.name, epoch, err)
		}
	}
}

// TestNeverBothDirections has two to four regions, of which one at a time is active, hear notes as late as can be, and
// Strimzi's operators be slow, and fail at any of what they do; never do records go round.
func TestNeverBothDirections(t *testing.T) {
	names := []string{"fsn", "hel", "nbg", "ams"}
	mirrored := 0
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 0))
		n := 2 + random.IntN(3)
		objects := make([]*unstructured.Unstructured, n)
		running := make([]map[string]bool, n)       // what really runs, by source
		fails := make([]bool, n)                    // Strimzi's operators, for as long as nobody mends what is wrong
		published := make([][]string, n)            // every note of each region
		view := make([]map[int]int, n)              // which note of each other region each has
		active, epoch := random.IntN(n), uint64(10) // all have been active before
		for i := range objects {
			var mirrors []any
			for j := range n {
				if j != i {
					mirrors = append(mirrors, map[string]any{"source": map[string]any{"alias": names[j]}, "sourceConnector": map[string]any{}})
				}
			}
			objects[i] = &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"target": map[string]any{"alias": names[i]}, "mirrors": mirrors}}}
			objects[i].SetGeneration(1)
			apply(t, activate(order(uint64(i+1))), objects[i])
			running[i], published[i], view[i] = map[string]bool{}, []string{"[]"}, map[int]int{}
		}
		write := func(i int, edit kube.Edit) {
			if apply(t, edit, objects[i]) {
				objects[i].SetGeneration(objects[i].GetGeneration() + 1)
			}
		}
		notes := func(i int) []layers.Note {
			var all []layers.Note
			for j := range n {
				if j != i {
					all = append(all, layers.Note{Region: lease.Region(names[j]), Text: published[j][view[i][j]]})
				}
			}
			return all
		}
		for range 300 {
			i := random.IntN(n)
			switch random.IntN(6) {
			case 0: // it takes; whoever was active is fenced from now on
				if random.IntN(8) == 0 {
					active, epoch = i, epoch+1
				}
			case 1: // an attempt
				if i == active {
					write(i, activate(order(epoch)))
				} else {
					write(i, fence(order(0), func(o *unstructured.Unstructured) (said, bool) { return leaderOf(o, notes(i)) }))
				}
			case 2, 3: // Strimzi's operator, which writes a status of the generation whatever it could do
				if random.IntN(8) == 0 {
					fails[i] = !fails[i]
				}
				var connectors []any
				for _, c := range connectorsOf(objects[i]) {
					if fails[i] && random.IntN(8) > 0 {
						continue // it did not come to that one
					}
					state, _ := c.state()
					running[i][c.alias] = state != stateStopped
					if fails[i] && random.IntN(2) == 0 {
						continue // Kafka Connect did not answer what it made of it
					}
					connectors = append(connectors, map[string]any{"name": c.name, "connector": map[string]any{"state": map[bool]string{true: "RUNNING", false: "STOPPED"}[running[i][c.alias]]}})
				}
				objects[i].Object["status"] = map[string]any{
					"observedGeneration": objects[i].GetGeneration(),
					"conditions":         []any{map[string]any{"type": map[bool]string{true: "NotReady", false: "Ready"}[fails[i]], "status": "True"}},
					"connectors":         connectors,
				}
			case 4:
				text, err := json.Marshal([]said{say(objects[i])})
				if err != nil {
					t.Fatal(err)
				}
				published[i] = append(published[i], string(text))
			case 5:
				j := random.IntN(n)
				view[i][j] += random.IntN(len(published[j]) - view[i][j])
			}
			for a := range n {
				for b := range n {
					if running[a][names[b]] {
						mirrored++
						if running[b][names[a]] {
							t.Fatalf("seed %d: %s and %s mirror into each other", seed, names[a], names[b])
						}
					}
				}
			}
		}
	}
	if mirrored == 0 {
		t.Error("nothing was ever mirrored")
	}
	t.Logf("in 400 runs of 300 steps something was mirrored in %d", mirrored)
}

// FuzzResource activates and fences whatever an API server without validation could hold.
func FuzzResource(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"K","spec":{"target":{"alias":"a"},"mirrors":[{"source":{"alias":"b"},"sourceConnector":{"state":"running"}},{"source":{"alias":"b"},"sourceConnector":{}}]}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"K","metadata":{"annotations":{"failover.openova.io/original":"{\"states\":{\"b/0/sourceConnector\":7}}"}},"spec":{"mirrors":[null,3,{"source":7,"sourceConnector":{"state":7}}]}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"K","spec":[],"status":{"connectors":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &unstructured.Unstructured{}
		if o.UnmarshalJSON(data) != nil {
			return
		}
		if _, ok := o.Object["metadata"].(map[string]any); !ok && o.Object["metadata"] != nil {
			return // no API server holds that, and nothing can be written on it
		}
		_ = settled(o)
		for _, c := range connectorsOf(o) {
			if _, isText := c.state(); !isText && c.spec["state"] != nil {
				return // no API server holds that either
			}
		}
		known := held(o)
		before := fmt.Sprint(o.Object["spec"])
		if _, err := activate(order(1 << 62))(o); err != nil {
			return
		}
		if !allStopped(o) {
			t.Errorf("activated: got %s, want all stopped", states(o))
		}
		if apply(t, activate(order(1<<62)), o) {
			t.Error("activated again: it was changed")
		}
		apply(t, fence(order(0), func(*unstructured.Unstructured) (said, bool) { return said{Target: "x", Epoch: 1 << 63}, true }), o)
		if alone := len(sourcesOf(o)) == 1; alone && !known && fmt.Sprint(o.Object["spec"]) != before {
			t.Errorf("got spec %v, want %v", o.Object["spec"], before)
		}
	})
}
