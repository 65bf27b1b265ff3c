package deadman

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/supervisor"
	"github.com/openova-io/failoverd/lease"
)

// A world is a region, fsn, whose agent comes to harm, and one that would take over, hel.
type world struct {
	t        *testing.T
	row      row
	times    times
	fsn, hel *daemon.Region
	agents   []*daemon.Region // of fsn: itself, or its instances
	renewals daemon.Renewals  // of fsn
	service  *supervisor.Service
	program  string // that the service starts, a link
	binary   string // where it leads
	dog      *standIn
}

// newWorld is a world in which fsn is active, and hel stands by.
func newWorld(t *testing.T, binaries daemon.Binaries, row row, times times) *world {
	group := daemon.NewGroup(t, binaries, times.params, nil)
	w := &world{t: t, row: row, times: times, fsn: group.Regions[0], hel: group.Regions[1], program: filepath.Join(t.TempDir(), "agent"), binary: binaries.Daemon}
	w.fsn.Link.Watch(w.renewals.Watch)
	w.agents = []*daemon.Region{w.fsn}
	switch {
	case row.instances:
		plane := cluster.Planes(t)[0]
		w.fsn.Configure(t, "", fmt.Sprintf("kubernetes: {kubeconfig: %q, namespace: %s}\ninstances: {term_duration: %v}\n", plane.Kubeconfig, plane.Namespace(t), times.term))
		w.agents = []*daemon.Region{w.fsn.Instance(t, "one"), w.fsn.Instance(t, "two")}
	case row.dog:
		w.dog = newStandIn(t, func() { _ = w.fsn.Process().Kill() }) // if it fails the layers are judged to be inactive, and the test's end says so
		w.fsn.Configure(t, "", fmt.Sprintf("watchdog: {device: %q, timeout: %v}\n", w.dog.path, times.dog))
	}
	if row.unit != nil {
		unit, err := supervisor.Read("../../systemd/failoverd.service")
		must(t, err)
		unit = row.unit(unit.For(binaries.Daemon, w.fsn.ConfigFile()).Scaled(times.scale))
		must(t, os.Symlink(binaries.Daemon, w.program))
		unit.Start[0] = w.program
		w.fsn.Place(t, daemon.FreeAddress(t))
		w.service = supervisor.Start(t, "fsn", unit)
	} else {
		for _, a := range w.agents {
			a.Start(t)
		}
	}
	w.hel.Start(t)
	w.await("fsn is active", func(ctx context.Context) bool { return w.acts(ctx) != nil })
	// Not by /readyz, which says yes before that too: just after a take nobody but the one that took can prove it.
	w.await("hel stands by, and every other agent can prove fsn's authority", func(ctx context.Context) bool {
		s, err := w.hel.Status(ctx)
		ready := err == nil && s.State == lease.Standby && s.Holder == "fsn"
		for _, a := range w.agents {
			ready = ready && says(ctx, a.Address(), "/readyz?gate="+daemon.GroupName)
		}
		return ready
	})
	return w
}

// acts is the agent that is active for fsn, with its layer; nil if none is.
func (w *world) acts(ctx context.Context) *daemon.Region {
	for _, a := range w.agents {
		if s, err := a.Status(ctx); err == nil && s.State == lease.Active && s.AllLayers("active") {
			return a
		}
	}
	return nil
}

// process is the one of an agent.
func (w *world) process(of *daemon.Region) *daemon.Process {
	if w.service != nil {
		return w.service.Process()
	}
	return of.Process()
}

// harm does what the row says to the one that acts, at any moment between two renewals.
func (w *world) harm(acts *daemon.Region) (process *daemon.Process, when lease.Instant) {
	w.t.Helper()
	process = w.process(acts)
	select {
	case <-time.After(rand.N(w.times.params.RenewInterval)):
	case <-w.t.Context().Done():
	}
	if w.row.fails {
		w.replace("/bin/false")
	}
	if w.row.frozen {
		must(w.t, process.Freeze(w.t.Context()))
	} else {
		must(w.t, process.Kill())
	}
	return process, now()
}

// mend ends the harm, as somebody does who has been woken.
func (w *world) mend(process *daemon.Process) {
	w.t.Helper()
	switch {
	case w.row.fails:
		w.replace(w.binary)
	case w.row.frozen:
		must(w.t, process.Thaw())
	default:
		w.fsn.Start(w.t)
	}
}

// replace has the service start another program from now on.
func (w *world) replace(program string) {
	w.t.Helper()
	must(w.t, os.Symlink(program, w.program+".new"))
	must(w.t, os.Rename(w.program+".new", w.program))
}

// layers are the runs of fsn's hooks, and of hel's.
func (w *world) layers() (fsn, hel []daemon.HookRun) {
	w.t.Helper()
	for _, a := range w.agents {
		runs, err := a.HookRuns()
		must(w.t, err)
		fsn = append(fsn, runs...)
	}
	hel, err := w.hel.HookRuns()
	must(w.t, err)
	return fsn, hel
}

// late is by how much the stand-ins for systemd and the kernel did something later than they should since an instant: that is this
// machine's doing.
func (w *world) late(since lease.Instant) (late time.Duration) {
	if w.service != nil {
		for _, e := range w.service.Events(since) {
			late += e.Late
		}
	}
	if w.dog != nil {
		_, l := w.dog.state()
		late += l
	}
	return late
}

// A gate is what asks for the dead-man gate of an agent, as a load balancer's prober does.
type gate struct {
	mu  sync.Mutex
	yes lease.Instant // the last question that was answered so
}

// probe asks until the test ends.
func (w *world) probe(of *daemon.Region) *gate {
	g, address := &gate{}, of.Address() // the agent's that comes to harm: one that is started in its place has another
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			asked := now()
			if says(ctx, address, "/readyz?gate="+daemon.GroupName) {
				g.mu.Lock()
				g.yes = asked
				g.mu.Unlock()
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	w.t.Cleanup(func() { cancel(); done.Wait() })
	return g
}

// last is when the gate was last known to be open.
func (g *gate) last() lease.Instant {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.yes
}

// await waits until something is so.
func (w *world) await(what string, is func(context.Context) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	daemon.Await(w.t, what, func() bool { return is(ctx) })
}

var prober = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}

// says reports whether a page of the agent at an address says yes.
func says(ctx context.Context, address, page string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+page, nil)
	if err != nil {
		return false
	}
	response, err := prober.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
