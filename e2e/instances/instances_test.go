package instances

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

var rounds = flag.Int("rounds", 6, "TestHeir: `how many`")

var cluster = controlplane.Share(1, controlplane.Options{})

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// limit is far above what anything here takes: two busy cores.
const limit = 2 * time.Minute

// A world is a region of three instances, and one of a single agent that would take over.
type world struct {
	t         *testing.T
	instances []*daemon.Region
	hel       *daemon.Region
}

func newWorld(t *testing.T) *world {
	t.Helper()
	plane := cluster.Planes(t)[0]
	group := daemon.NewGroup(t, daemon.Build(t, true), lease.Params{
		Members: []lease.Region{"fsn", "hel"},
		TTL:     10 * time.Second, RenewInterval: 3 * time.Second, RetryInterval: 300 * time.Millisecond, PollInterval: 300 * time.Millisecond,
		RequestTimeout: 2 * time.Second, FenceTimeout: 2 * time.Second, MaxClockDrift: 0.002,
	}, nil)
	fsn := group.Regions[0]
	fsn.Configure(t, "", fmt.Sprintf("kubernetes: {kubeconfig: %q, namespace: %s}\ninstances: {term_duration: 1s}\n", plane.Kubeconfig, plane.Namespace(t)))
	w := &world{t: t, hel: group.Regions[1]}
	for _, name := range []string{"one", "two", "two"} { // their state directories tell them apart
		w.instances = append(w.instances, fsn.Instance(t, name))
	}
	return w
}

// acting waits until one instance is active, with its layer, and all others follow it and can prove its authority: their
// dead-man gates are open.
func (w *world) acting(what string) (at *daemon.Region, epoch uint64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		at, epoch = nil, 0
		active, following := 0, 0
		for _, i := range w.instances {
			s, err := i.Status(ctx)
			switch {
			case err != nil:
			case s.State == lease.Active && s.Authority && s.Instance.Confirmed && s.AllLayers("active"):
				active, at, epoch = active+1, i, s.Epoch
			case s.State == lease.Follower && gate(ctx, i):
				following++
			}
		}
		if active == 1 && following == len(w.instances)-1 {
			return at, epoch
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("%s: waited %v in vain for one instance that acts and %d that follow: %d and %d", what, limit, len(w.instances)-1, active, following)
		}
	}
}

// gate reports whether the dead-man gate of an instance is open.
func gate(ctx context.Context, i *daemon.Region) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.Address()+"/readyz?gate="+daemon.GroupName, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// TestHeir has the instance that acts die, freeze and stop, in turn. Each time another one goes on with the region's authority,
// and hel never takes.
func TestHeir(t *testing.T) {
	w := newWorld(t)
	w.hel.Start(t)
	for _, i := range w.instances {
		i.Start(t)
	}
	at, first := w.acting("the start")
	kept := 0
	for round := range *rounds {
		var what string
		begun := time.Now()
		switch round % 3 {
		case 0:
			what = "killed"
			must(t, at.Process().Kill())
		case 1:
			what = "frozen"
			must(t, at.Process().Freeze(t.Context()))
		case 2:
			what = "asked to stop"
			must(t, at.Process().Terminate())
		}
		heir := w.heir(at, what)
		took := time.Since(begun)
		if what == "frozen" {
			must(t, at.Process().Thaw())
		} else {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			if _, err := at.Process().Wait(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			at.Start(t)
		}
		next, epoch := w.acting("after it was " + what)
		if next != heir {
			t.Errorf("round %d, %s: the heir does not act any more", round, what)
		}
		if epoch == first {
			kept++
		}
		t.Logf("round %d: the instance that acts is %s: another one acts after %.2f s, for epoch %d", round, what, took.Seconds(), epoch)
		at = next
	}
	history, err := w.hel.History()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range history {
		if h.To == lease.Active || h.To == lease.Candidate {
			t.Errorf("hel became %s: %s", h.To, h.Reason)
		}
	}
	t.Logf("the region kept its authority in %d of %d rounds", kept, *rounds)
	if kept != *rounds {
		t.Errorf("the region kept its authority in %d rounds, want it in all %d", kept, *rounds)
	}
}

// heir waits until another instance than one is active.
func (w *world) heir(of *daemon.Region, what string) *daemon.Region {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, i := range w.instances {
			if i == of {
				continue
			}
			if s, err := i.Status(ctx); err == nil && s.State == lease.Active {
				return i
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("%s: no other instance acts after %v", what, limit)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
