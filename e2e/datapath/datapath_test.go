//go:build datapath

package datapath_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/clusters"
	"github.com/openova-io/failoverd/e2e/datapath/probe"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/cilium"
)

// TestDatapath is one test, since two regions are started once.
func TestDatapath(t *testing.T) {
	fsn, hel := newRegions(t)
	for _, r := range []*region{fsn, hel} {
		if err := r.layer.Check(within(t)); err != nil {
			t.Errorf("%s: check: %v", r.Name, err)
		}
	}
	for _, part := range []struct {
		name string
		test func(t *testing.T, fsn, hel *region)
	}{
		{"steer", testSteer},
		{"fence", testFence},
		{"fence without the API server", testFenceWithoutAPI},
		{"mesh", testMesh},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, fsn, hel) })
		for _, r := range []*region{fsn, hel} {
			if n := r.starts(t, "cilium-agent"); n != 1 {
				t.Errorf("after %s: the agent of %s was started %d times, want once", part.name, r.Name, n)
			}
		}
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// activate and fence have a region's layer carry an order out, and return when that began and ended.
func (r *region) activate(t *testing.T) (begun, done time.Time) {
	t.Helper()
	begun = time.Now()
	if err := r.layer.Activate(within(t), r.order()); err != nil {
		t.Fatalf("%s: activate: %v", r.Name, err)
	}
	return begun, time.Now()
}

func (r *region) fence(t *testing.T) (begun, done time.Time) {
	t.Helper()
	begun = time.Now()
	if err := r.layer.Fence(within(t), r.order()); err != nil {
		t.Fatalf("%s: fence: %v", r.Name, err)
	}
	return begun, time.Now()
}

func (r *region) observed(t *testing.T, want layers.State) {
	t.Helper()
	if got, err := r.layer.Observe(within(t)); got != want {
		t.Errorf("%s: observed: got %s (%v), want %s", r.Name, got, err, want)
	}
}

// testSteer has both regions' clients use the global Service, by new connections, while regions take turns.
func testSteer(t *testing.T, fsn, hel *region) {
	clients := map[*region]*watch{}
	for _, r := range []*region{fsn, hel} {
		clients[r] = start(t, "a client in "+r.Name, false, r.fromPod(t, "client"), r.service(t))
	}
	for _, w := range clients {
		for _, name := range []string{"fsn-app", "hel-app"} {
			await(t, w.name+": has an answer by "+name, func() bool { _, ok := w.first(time.Time{}, by(name)); return ok })
		}
	}
	// lead waits until each client has answers only by what it is to have, and says how long others went on answering.
	lead := func(what string, begun time.Time, want map[*region]string) {
		for r, name := range want {
			w := clients[r]
			w.settle(t, begun, "only "+name+" answers", by(name))
			others := func(try probe.Try) bool { return answered(try) && try.From != name }
			after, _ := w.last(begun, others)
			failures := 0
			for _, try := range w.since(begun) {
				if failed(try) {
					failures++
				}
			}
			t.Logf("steer: %s: %s: last answer by another than %s after %s; %d of %d tries failed", what, w.name, name, ms(after), failures, len(w.since(begun)))
		}
	}
	begun := time.Now()
	fsn.activate(t)
	hel.activate(t)
	lead("both active", begun, map[*region]string{fsn: "fsn-app", hel: "hel-app"})
	begun, _ = fsn.fence(t)
	lead("fsn fenced", begun, map[*region]string{fsn: "hel-app", hel: "hel-app"})
	fsn.activate(t)
	begun, _ = hel.fence(t)
	lead("fsn active, hel fenced", begun, map[*region]string{fsn: "fsn-app", hel: "fsn-app"})
	begun, _ = hel.activate(t)
	lead("both active", begun, map[*region]string{fsn: "fsn-app", hel: "hel-app"})
}

// A flow is tries from somewhere to somewhere, and whether a fence is to let them be.
type flow struct {
	*watch
	passes  bool
	steered bool // new connections go to the other region, while the API server can be told so
}

// flows are all to the fenced region and from it, that a policy can tell apart.
func flows(t *testing.T, fsn, hel *region) (all []flow) {
	serve := func(listen func(network, address string) (net.Listener, error), ip, name string) string {
		listener, err := listen("tcp", net.JoinHostPort(ip, "0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go probe.Serve(listener, name)
		return listener.Addr().String()
	}
	app, db := fsn.address(t, "app"), fsn.address(t, "db")
	for _, f := range []struct {
		name    string
		from    from
		address string
		passes  bool
		steered bool
	}{
		{"to a pod from outside", fromHub, app, false, false},
		{"to a pod from outside by NodePort", fromHub, net.JoinHostPort(fsn.IP, "30909"), false, true},
		{"to a pod from the other region's node", fromHost(hel.Dial), app, false, false},
		{"to a pod from the other region's pod", hel.fromPod(t, "client"), app, false, false},
		{"to a pod from a pod of its region", fsn.fromPod(t, "client"), app, false, false},
		{"to a pod from its node", fromHost(fsn.Dial), app, true, false},
		{"from a pod to the outside", fsn.fromPod(t, "app"), serve(net.Listen, clusters.HubIP, "hub"), false, false},
		{"from a pod to the other region's node", fsn.fromPod(t, "app"), serve(hel.Listen, hel.IP, "hel"), false, false},
		{"from a pod to the other region's pod", fsn.fromPod(t, "app"), hel.address(t, "client"), false, false},
		{"from a pod to a pod of its region", fsn.fromPod(t, "app"), fsn.address(t, "client"), true, false},
		{"from a pod to its node, which has the API server", fsn.fromPod(t, "app"), serve(fsn.Listen, fsn.IP, "fsn"), true, false},
		{"to a database from the other region's pod", hel.fromPod(t, "db"), db, true, false},
		{"from a database to the other region's pod", fsn.fromPod(t, "db"), hel.address(t, "db"), true, false},
	} {
		for _, kept := range []bool{false, true} {
			all = append(all, flow{start(t, f.name, kept, f.from, f.address), f.passes, f.steered && !kept})
		}
	}
	began := time.Now()
	for _, f := range all {
		f.settle(t, began, "it is answered", answered)
	}
	return all
}

// fenced has flows checked against a fence that was ordered and was said to hold at some time, with the region's Services steered
// away or not.
func fenced(t *testing.T, what string, all []flow, steered bool, begun, done time.Time) {
	t.Helper()
	t.Logf("%s: the layer says that it holds after %s", what, ms(done.Sub(begun)))
	for _, f := range all {
		if steered && f.steered {
			f.settle(t, done, "the other region answers", by("hel-app"))
			if after, ok := f.first(done, by("fsn-app")); ok {
				t.Errorf("%s: %s: answered by the fenced region to a try %s after the layer said that the fence holds", what, f.name, ms(after))
			}
			last, _ := f.last(begun, by("fsn-app"))
			t.Logf("%s: %s: last answer by the fenced region after %s; the other one answers", what, f.name, ms(last))
			continue
		}
		if f.passes {
			f.settle(t, done, "it is answered", answered)
			if after, ok := f.first(begun, failed); ok {
				t.Errorf("%s: %s: failed after %s, want all answered", what, f.name, ms(after))
			}
			continue
		}
		f.settle(t, done, "it is not answered", failed)
		if after, ok := f.first(done, answered); ok {
			t.Errorf("%s: %s: answered to a try %s after the layer said that the fence holds", what, f.name, ms(after))
		}
		last, _ := f.last(begun, answered)
		how := "no answer any more"
		if f.hasEnded() {
			how = "the connection was ended: " + f.lastError()
		}
		t.Logf("%s: %s: last answer after %s; %s", what, f.name, ms(last), how)
	}
}

// lifted has flows checked after a fence was lifted.
func lifted(t *testing.T, what string, all []flow, begun, done time.Time) {
	t.Helper()
	t.Logf("%s: the layer says that it is lifted after %s", what, ms(done.Sub(begun)))
	for _, f := range all {
		if f.passes || f.hasEnded() {
			continue
		}
		f.settle(t, done, "it is answered", answered)
		after, _ := f.first(begun, answered)
		t.Logf("%s: %s: first try that was answered began after %s", what, f.name, ms(after))
	}
}

// staysReady waits until the kubelet has probed the region's pods some more, and looks what it made of that.
func (r *region) staysReady(t *testing.T) {
	t.Helper()
	ip := r.pod(t, "app").Status.PodIP
	was := r.probes(t, ip)
	await(t, "the kubelet probes a fenced pod", func() bool { return r.probes(t, ip) >= was+10 })
	if pod := r.pod(t, "app"); !isReady(pod) || pod.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Errorf("%s: after 10 more probes: Ready is %v and restarts are %d, want true and 0", r.Name, isReady(pod), pod.Status.ContainerStatuses[0].RestartCount)
	}
}

func testFence(t *testing.T, fsn, hel *region) {
	fsn.activate(t)
	all := flows(t, fsn, hel)
	begun, done := fsn.fence(t)
	fenced(t, "fence", all, true, begun, done)
	fsn.staysReady(t)
	fsn.observed(t, layers.Inactive)
	begun, done = fsn.activate(t)
	lifted(t, "lift", all, begun, done)
	fsn.observed(t, layers.Active)
}

func testFenceWithoutAPI(t *testing.T, fsn, hel *region) {
	fsn.activate(t)
	all := flows(t, fsn, hel)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed := make(chan struct{}, 1)
	go fsn.layer.Watch(ctx, func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})

	fsn.stopAPI(t)
	begun, done := fsn.fence(t)
	fenced(t, "fence without the API server", all, false, begun, done)
	fsn.observed(t, layers.Inactive)
	short, cancelShort := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancelShort()
	if err := fsn.layer.Activate(short, fsn.order()); err == nil {
		t.Error("activate without the API server: got nil, want an error: the policy may be there")
	}
	fsn.observed(t, layers.Inactive)
	if err := cilium.Health(within(t), fsn.socket()); err != nil {
		t.Logf("the agent without the API server: %v", err)
	}
	fsn.startAPI(t)

	back := time.Now()
	select {
	case <-changed:
		t.Logf("fence without the API server: the layer notices after %s that it answers again", ms(time.Since(back)))
	case <-time.After(limit):
		t.Fatal("the API server answers again: the layer does not notice that it owes a policy")
	}
	fsn.fence(t)
	if out := fsn.Kubectl(t, "", "get", "ccnp", "--output", "name"); !strings.Contains(out, "failoverd-fence-"+group) {
		t.Errorf("the API server answers again: policies: got %q, want the fence's", out)
	}
	fsn.staysReady(t)
	begun, done = fsn.activate(t)
	lifted(t, "lift of a static policy", all, begun, done)
	fsn.observed(t, layers.Active)
	if _, err := os.Stat(fsn.Path("static-policies/failoverd-fence-" + group + ".yaml")); err != nil {
		t.Errorf("lifted: %v, want a policy without effect", err)
	}
}

// testMesh cuts a region off: its peer's agent is to say so.
func testMesh(t *testing.T, fsn, hel *region) {
	for _, r := range []*region{fsn, hel} {
		if err := cilium.Health(within(t), r.socket()); err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
	}
	client := start(t, "a client in hel", false, hel.fromPod(t, "client"), hel.service(t))
	begun := time.Now()
	fsn.Cut(t)
	hel.Await(t, "its agent says that fsn is cut off", func(ctx context.Context) error {
		if err := cilium.Health(ctx, hel.socket()); err != nil {
			t.Logf("mesh: the agent of hel says after %s: %v", ms(time.Since(begun)), err)
			return nil
		}
		return errors.New("it finds nothing wrong")
	})
	client.settle(t, begun, "its own region answers", by("hel-app"))
	begun = time.Now()
	fsn.Heal(t)
	hel.Await(t, "its agent finds nothing wrong", func(ctx context.Context) error { return cilium.Health(ctx, hel.socket()) })
	t.Logf("mesh: the agent of hel finds nothing wrong %s after the link is back", ms(time.Since(begun)))
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begun := time.Now(); !holds(); {
		if time.Since(begun) > limit {
			t.Fatalf("waited %v in vain: %s", limit, what)
		}
		<-time.After(lookAgain)
	}
}
