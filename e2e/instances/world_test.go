package instances

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

var (
	rounds       = flag.Int("rounds", 3, "TestHeir, TestUpgrade: `how many` in each world")
	worlds       = flag.Int("worlds", 1, "TestHeir, TestUpgrade: `how many` at once, up to go test's -parallel")
	defaultTimes = flag.Bool("default-times", false, "TestHeir, TestUpgrade: with the times that the daemon has by default")
	plain        = flag.Bool("plain", false, "daemons without the race detector")
)

var cluster = controlplane.Share(1, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// times are what the flag says.
func times() (p lease.Params, term time.Duration) {
	if *defaultTimes {
		return daemon.DefaultTimes("fsn", "hel"), 4 * time.Second
	}
	return shortTimes()
}

// shortTimes are a third of the default ones, for a test that is to be short.
func shortTimes() (p lease.Params, term time.Duration) {
	p = daemon.DefaultTimes("fsn", "hel")
	p.TTL, p.RenewInterval, p.RetryInterval, p.PollInterval = 10*time.Second, 3*time.Second, 300*time.Millisecond, 300*time.Millisecond
	p.RequestTimeout, p.FenceTimeout = 2*time.Second, 2*time.Second
	return p, time.Second
}

// A world is a region of three instances, fsn, and one of a single agent that would take over, hel.
type world struct {
	t         *testing.T
	group     *daemon.Group
	namespace string
	term      time.Duration
	fsn       *record
	instances []*daemon.Region
	hel       *daemon.Region
}

// newWorld is a world in which nothing runs yet.
func newWorld(t *testing.T, binaries daemon.Binaries, params lease.Params, term time.Duration) *world {
	t.Helper()
	plane := cluster.Planes(t)[0]
	group := daemon.NewGroup(t, binaries, params, nil)
	fsn := group.Regions[0]
	w := &world{t: t, group: group, hel: group.Regions[1], fsn: &record{ttl: params.TTL}, namespace: plane.Namespace(t), term: term}
	fsn.Configure(t, "", w.sections(plane.Kubeconfig))
	fsn.Link.Watch(w.fsn.Watch)
	for _, name := range []string{"one", "two", "two"} { // their state directories tell them apart
		w.instances = append(w.instances, fsn.Instance(t, name))
	}
	return w
}

// sections are those of an instance's configuration that have it be one.
func (w *world) sections(kubeconfig string) string {
	return fmt.Sprintf("kubernetes: {kubeconfig: %q, namespace: %s}\ninstances: {term_duration: %v}\n", kubeconfig, w.namespace, w.term)
}

// inWorlds does something in each of so many worlds, which run, and in which one instance acts.
func inWorlds(t *testing.T, do func(w *world, acts *daemon.Region)) {
	binaries := daemon.Build(t, !*plain)
	params, term := times()
	t.Run("worlds", func(t *testing.T) {
		for n := range *worlds {
			t.Run(fmt.Sprint(n+1), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, binaries, params, term)
				w.start()
				acts, _ := w.acting("the start")
				do(w, acts)
			})
		}
	})
}

// start starts fsn, and hel when an instance leads: fsn's wait for its lease begins then, and hel's at its start. With a good start
// hel would take.
func (w *world) start() {
	w.t.Helper()
	for _, i := range w.instances {
		i.Start(w.t)
	}
	w.await("an instance that leads", func(ctx context.Context) bool {
		return slices.ContainsFunc(w.instances, func(i *daemon.Region) bool {
			s, err := i.Status(ctx)
			return err == nil && s.Instance.Acts
		})
	})
	w.hel.Start(w.t)
}

// acting waits until one instance is active, with its layer, and all others follow it and can prove its authority: their
// dead-man gates are open.
func (w *world) acting(what string) (at *daemon.Region, epoch uint64) {
	w.t.Helper()
	active, following := 0, 0
	w.await(fmt.Sprintf("%s: one instance that acts, and %d that follow", what, len(w.instances)-1), func(ctx context.Context) bool {
		at, epoch, active, following = nil, 0, 0, 0
		for _, i := range w.instances {
			s, err := i.Status(ctx)
			switch {
			case err != nil:
			case s.State == lease.Active && s.Authority && s.Instance.Confirmed && s.AllLayers("active"):
				active, at, epoch = active+1, i, s.Epoch
			case s.State == lease.Follower && says(ctx, i, "/readyz?gate="+daemon.GroupName):
				following++
			}
		}
		return active == 1 && following == len(w.instances)-1
	}, func() string { return fmt.Sprintf("%d act, %d follow", active, following) })
	return at, epoch
}

// heir waits until another instance than one is active.
func (w *world) heir(of *daemon.Region, what string) (heir *daemon.Region) {
	w.t.Helper()
	w.await(what+": another instance that acts", func(ctx context.Context) bool {
		for _, i := range w.instances {
			if i == of || !i.Process().Running() {
				continue
			}
			if s, err := i.Status(ctx); err == nil && s.State == lease.Active {
				heir = i
			}
		}
		return heir != nil
	})
	return heir
}

// await waits until something is so; instead says what is.
func (w *world) await(what string, is func(context.Context) bool, instead ...func() string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	daemon.Await(w.t, what, func() bool { return is(ctx) }, instead...)
}

// says reports whether a page of an instance says yes.
func says(ctx context.Context, i *daemon.Region, page string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.Address()+page, nil)
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

// anyMoment lets some part of a renewal's interval pass: what comes next is to come at any time after the last renewal.
func (w *world) anyMoment() {
	select {
	case <-time.After(rand.N(w.group.Params.RenewInterval)):
	case <-w.t.Context().Done():
	}
}

// restart has an instance stop as systemd and the kubelet ask it to, and starts it again.
func (w *world) restart(i *daemon.Region) {
	w.t.Helper()
	must(w.t, i.Process().Terminate())
	w.startAgain(i)
}

// startAgain starts an instance when it has ended.
func (w *world) startAgain(i *daemon.Region) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	if _, err := i.Process().Wait(ctx); err != nil {
		w.t.Fatal(err)
	}
	i.Start(w.t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
