package cilium

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers"
)

// TestAgentMisbehaves has an agent that is no use. The policy is on the API server, but that is not what the layer is to
// say: it does not know, returns by the deadline, and finishes when the agent is itself again.
func TestAgentMisbehaves(t *testing.T) {
	a := startAgent(t)
	w := newWorld(t, region.Planes(t)[0], a)
	w.pod(a, "web-1")
	w.pod(a, "web-2")
	if err := w.Check(within(t, limit)); err == nil { // tells the name of the cluster, and of the mesh
		t.Fatal("check finds nothing")
	}
	const patience = 3 * time.Second
	for _, tt := range []struct {
		name   string
		begin  func()
		want   string
		ignore bool // what observe says
	}{
		{"hangs", func() { a.misbehave(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) }, "deadline exceeded", false},
		{"trickles", func() {
			a.misbehave(func(rw http.ResponseWriter, r *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				for r.Context().Err() == nil {
					fmt.Fprint(rw, " ")
					rw.(http.Flusher).Flush()
					select {
					case <-r.Context().Done():
					case <-time.After(10 * time.Millisecond):
					}
				}
			})
		}, "deadline exceeded", false},
		{"fails", func() {
			a.misbehave(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) })
		}, "500", false},
		{"limits", func() {
			a.misbehave(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusTooManyRequests) })
		}, "ooMany", false},
		{"answers garbage", func() {
			a.misbehave(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, `{"self":`) })
		}, "endpoints", false},
		{"answers something else", func() {
			a.misbehave(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", "application/json")
				fmt.Fprint(rw, `{"status":"ok"}`)
			})
		}, "endpoints", false},
		{"hangs up", func() {
			a.misbehave(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		}, "EOF", false},
		{"realises half", func() { a.neglect(func(p *pod) bool { return p.name == "web-2" }) }, "1 of 2 pods of this node are not fenced: " + w.namespace + "/web-2", true},
		{"audits only", func() { a.setAudit(true) }, "audit-both", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := w.Activate(within(t, limit), w.order(1)); err != nil {
				t.Fatal(err)
			}
			tt.begin()
			ctx := within(t, patience)
			err := w.Fence(ctx, w.order(1))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("fence: got %v, want an error with %q", err, tt.want)
			}
			if got, err := w.Observe(within(t, patience)); got != layers.Unknown || !tt.ignore && err == nil {
				t.Errorf("observe: got %s, %v, want unknown", got, err)
			}
			a.misbehave(nil)
			a.neglect(nil)
			a.setAudit(false)
			if err := w.Fence(within(t, limit), w.order(1)); err != nil {
				t.Errorf("fence, when it is itself again: %v", err)
			}
			w.observed(t, layers.Inactive)
		})
	}
}

// TestAPIServerDown has no API server at the deadline: what the agent has realised by the static policy is a fence, and is
// said to be one; without it nothing is.
func TestAPIServerDown(t *testing.T) {
	for _, tt := range []struct {
		name string
		stop func(*controlplane.Plane, testing.TB)
	}{{"killed", (*controlplane.Plane).KillAPIServer}, {"frozen", (*controlplane.Plane).FreezeAPIServer}} {
		t.Run(tt.name, func(t *testing.T) {
			plane := controlplane.Start(t, 1, options)[0]
			a, b := startAgent(t), startAgent(t)
			b.Static = ""
			w, bare := newWorld(t, plane, a), newWorld(t, plane, b)
			w.pod(a, "web-1")
			bare.pod(b, "web-1")
			for _, w := range []world{w, bare} {
				if err := w.Activate(within(t, limit), w.order(1)); err != nil {
					t.Fatal(err)
				}
				w.observed(t, layers.Active)
			}
			tt.stop(plane, t)

			begun := time.Now()
			ctx := within(t, 6*time.Second)
			if err := w.Fence(ctx, w.order(1)); err != nil {
				t.Errorf("with a static policy: %v", err)
			}
			t.Logf("API server %s: fenced by the static policy, and known, after %v of 6 s", tt.name, time.Since(begun))
			if n := a.fenced(); n != 1 {
				t.Errorf("with a static policy: got %d pods fenced, want 1", n)
			}
			if got, err := w.Observe(within(t, 4*time.Second)); got != layers.Inactive {
				t.Errorf("with a static policy: observed %s, %v, want inactive", got, err)
			}
			if err := w.Activate(within(t, 2*time.Second), w.order(2)); err == nil {
				t.Error("activated without an API server")
			}
			if n := a.fenced(); n != 1 {
				t.Errorf("after an activation that failed: got %d pods fenced, want 1", n)
			}
			err := bare.Fence(within(t, 4*time.Second), bare.order(1))
			if err == nil || !strings.Contains(err.Error(), "not fenced") {
				t.Errorf("without one: got %v, want that the pod is not fenced", err)
			}
			if got, err := bare.Observe(within(t, 4*time.Second)); got == layers.Inactive {
				t.Errorf("without one: observed %s, %v", got, err)
			}
		})
	}
}

// TestAPIServerFrozenFromTheStart has an API server that has never answered, and a watch that waits for it. The fence waits
// for neither.
func TestAPIServerFrozenFromTheStart(t *testing.T) {
	plane := controlplane.Start(t, 1, options)[0]
	a := startAgent(t)
	w := newWorld(t, plane, a)
	w.pod(a, "web-1")
	plane.FreezeAPIServer(t)
	w.watch(t)
	for range 3 {
		ctx := within(t, 6*time.Second)
		if err := w.Fence(ctx, w.order(1)); err != nil || ctx.Err() != nil {
			t.Errorf("fence: got %v, want it by its deadline (%v)", err, ctx.Err())
		}
	}
	if n := a.fenced(); n != 1 {
		t.Errorf("got %d pods fenced, want 1", n)
	}
}

// TestAPIServerComesBack has the API server stand still during a fence. No watch of it breaks, and to them nothing has
// changed; it gets the policy all the same when it goes on.
func TestAPIServerComesBack(t *testing.T) {
	plane := controlplane.Start(t, 1, options)[0]
	a := startAgent(t)
	w := newWorld(t, plane, a)
	w.pod(a, "web-1")
	w.service(t, "web", map[string]string{"service.cilium.io/global": "true"})
	if err := w.Activate(within(t, limit), w.order(1)); err != nil {
		t.Fatal(err)
	}
	changed := w.watch(t)
	// What they tell of now shows that they watch.
	for _, undo := range []func() error{
		func() error {
			_, err := w.client.Resource(services).Namespace(w.namespace).Patch(t.Context(), "web", "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"service.cilium.io/affinity":"none"}}}`), metav1.PatchOptions{})
			return err
		},
		func() error {
			_, err := w.client.Resource(policies).Create(t.Context(), w.alien(), metav1.CreateOptions{})
			return err
		},
	} {
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-changed:
		case <-within(t, limit).Done():
			t.Fatal("the watch says nothing of what is undone")
		}
		if err := w.Activate(within(t, limit), w.order(1)); err != nil {
			t.Fatal(err)
		}
	}
	plane.FreezeAPIServer(t)
	if err := w.Fence(within(t, 3*time.Second), w.order(1)); err != nil {
		t.Fatal(err)
	}
	plane.ThawAPIServer(t)
	ctx := within(t, limit)
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatal("the watch says nothing")
		}
		if err := w.Fence(within(t, limit), w.order(1)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.storedPolicy(ctx); err == nil {
			break
		}
	}
	if got := w.get(t, services, "web").GetAnnotations()["service.cilium.io/shared"]; got != "false" {
		t.Errorf("the Service: got shared %q, want false", got)
	}
}

// TestActivateWaits has an agent that is slow to let go.
func TestActivateWaits(t *testing.T) {
	a := startAgent(t)
	w := newWorld(t, region.Planes(t)[0], a)
	w.pod(a, "web-1")
	if err := w.Fence(within(t, limit), w.order(1)); err != nil {
		t.Fatal(err)
	}
	a.neglect(func(*pod) bool { return true })
	if err := w.Activate(within(t, 2*time.Second), w.order(2)); err == nil || !strings.Contains(err.Error(), "1 pods of this node are still fenced") {
		t.Errorf("got %v, want that the pod is still fenced", err)
	}
	a.neglect(nil)
	if err := w.Activate(within(t, limit), w.order(2)); err != nil {
		t.Error(err)
	}
}

// TestStaticPolicyRaces writes and replaces the file as fast as it goes. An agent that is told of a file which it then can't
// read would have ended itself: that is what startAgent looks for. Its socket is not there to wait for it.
func TestStaticPolicyRaces(t *testing.T) {
	a := startAgent(t)
	a.Socket += "-that-is-not-there"
	w := newWorld(t, region.Planes(t)[0], a)
	w.pod(a, "web-1")
	const rounds = 50
	for epoch := range uint64(rounds) {
		if err := w.Fence(within(t, limit), w.order(epoch)); err != nil {
			t.Fatal(err)
		}
		if err := w.Activate(within(t, limit), w.order(epoch)); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d times fenced and activated, with an agent that reads every file that it is told of", rounds)
}
