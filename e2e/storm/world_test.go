package storm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/netns"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/e2e/wallclock"
	"github.com/openova-io/failoverd/lease"
)

// limit is for one condition. It is no measure of anything: it only ends a test that hangs.
const limit = 3 * time.Minute

func now() lease.Instant { return bootclock.Clock{}.Now() }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// times have room for a machine that is busy: three control planes, three resolvers, and nine agents.
func times() lease.Params {
	return lease.Params{
		Members: []lease.Region{"fsn", "hel", "nbg"},
		TTL:     10 * time.Second, RenewInterval: 2 * time.Second, RetryInterval: 300 * time.Millisecond, PollInterval: 300 * time.Millisecond,
		RequestTimeout: 1500 * time.Millisecond, FenceTimeout: fenceTimeout, MaxClockDrift: 0.002,
		Staleness: 2 * time.Second,
	}
}

// A world is the group, and all that it depends on.
type world struct {
	t         *testing.T
	random    *rand.Rand
	params    lease.Params
	network   *network
	planes    []*controlplane.Plane // by region
	routes    []*routeSampler       // by region
	ways      []*resolvers.Meddler  // to the resolvers
	instances []*instance
	machine   *machine
	faults    []*fault          // under way
	outage    bool              // one of an API server is
	past      map[string][]Span // those that are over, by kind
	told      []string          // what was done, for people
	begun     lease.Instant
}

// An instance is a daemon in a host of its own.
type instance struct {
	*daemon.Region
	number  int // of its region, from 1
	address netip.Addr
	offset  time.Duration    // of its boot clock
	clock   *wallclock.Clock // nil: the machine's
	frozen  bool
	filled  bool // its disk was full once: its history may have gaps

	record Record
	writes daemon.Renewals
	sample *sampler
}

func (i *instance) String() string { return i.record.Instance }

// alive reports whether it runs and is not frozen.
func (i *instance) alive() bool { return len(i.Runs()) > 0 && i.Process().Running() && !i.frozen }

// newWorld starts everything.
func newWorld(t *testing.T, binaries daemon.Binaries, seed uint64, count int, clocks bool) *world {
	t.Helper()
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), machine: newMachine(t, binaries.Layer), params: times(), past: map[string][]Span{}, begun: now()}
	members := w.params.Members
	w.network = newNetwork(t, len(members), seed)
	w.planes = controlplane.Start(t, len(members), controlplane.Options{CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})
	lab := resolvers.Start(t, members)
	quorum := &daemon.Quorum{Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: time.Second}
	for k, p := range resolving[:3] {
		w.ways = append(w.ways, lab.NewMeddler(t, netip.AddrPortFrom(p.address(0), 53).String(), lab.Resolvers[k].Address))
	}
	for _, m := range members {
		quorum.Listen[m] = ":53"
		for _, way := range w.ways {
			quorum.Resolvers[m] = append(quorum.Resolvers[m], way.Address)
		}
	}
	group := daemon.NewGroup(t, binaries, w.params, quorum)
	for r, region := range group.Regions {
		kubeconfig := w.kubeconfig(r, region)
		namespace := w.planes[r].Namespace(t)
		w.routes = append(w.routes, newRoute(t, region.Name, w.planes[r], namespace))
		region.Configure(t, fmt.Sprintf(routeLayer, namespace), fmt.Sprintf("kubernetes: {kubeconfig: %q, namespace: %s}\ninstances: {term_duration: %v}\n", kubeconfig, namespace, termDuration))
		var addresses []netip.Addr
		for k := range count {
			name := fmt.Sprintf("%s%d", region.Name, k+1)
			i := &instance{Region: region.Instance(t, name), number: r + 1, address: netip.AddrFrom4([4]byte{10, 92, byte(r + 1), byte(k + 1)})}
			i.offset = time.Duration(w.random.IntN(400*24)) * time.Hour
			host := w.network.join(name, i.address)
			i.Link = group.Server.LinkAt(name, witness.address(0).String())
			i.Link.BaseURL = strings.Replace(i.Link.BaseURL, witness.address(0).String(), nearWitness.String(), 1)
			i.Link.Watch(i.writes.Watch)
			by := []string{"nsenter", "--net=" + netns.Path(host.Name), "unshare", "--time", fmt.Sprintf("--boottime=%d", int(i.offset.Seconds())), "--"}
			if clocks {
				clock := wallclock.New(t)
				i.clock = &clock
				by = append(by, "env", clock.Env())
			}
			i.Place(t, netip.AddrPortFrom(i.address, 9713).String(), by...)
			w.smallDisk(i)
			i.record = Record{Region: region.Name, Instance: name}
			addresses = append(addresses, i.address)
			w.instances = append(w.instances, i)
		}
		openDoor(t, lab.Region(region.Name), addresses)
	}
	for _, i := range w.instances {
		w.start(i)
		i.sample = newSampler(t, i)
	}
	return w
}

// agents are the instances as regions of daemon.
func (w *world) agents() (all []*daemon.Region) {
	for _, i := range w.instances {
		all = append(all, i.Region)
	}
	return all
}

// kubeconfig is a region's, by way of its place in the network.
func (w *world) kubeconfig(r int, region *daemon.Region) (path string) {
	w.t.Helper()
	content, err := os.ReadFile(w.planes[r].Kubeconfig)
	must(w.t, err)
	server := strings.TrimSuffix(w.planes[r].Config().Host, "/")
	at := netip.AddrPortFrom(apiServer.address(r+1), 6443).String()
	forward(w.t, at, strings.TrimPrefix(server, "https://"))
	changed := strings.Replace(string(content), "server: "+server, "server: https://"+at+"\n    tls-server-name: localhost", 1)
	if changed == string(content) {
		w.t.Fatalf("the kubeconfig does not name the server %s:\n%s", server, content)
	}
	path = region.Path("kubeconfig")
	must(w.t, os.WriteFile(path, []byte(changed), 0o600))
	return path
}

// start has an instance run, that does not.
func (w *world) start(i *instance) {
	w.t.Helper()
	i.Start(w.t)
	for n := range i.record.Still {
		if s := &i.record.Still[n]; s.To == lease.Never {
			s.To = now()
		}
	}
}

// still notes that an instance stands still from now on.
func (i *instance) still() { i.record.Still = append(i.record.Still, Span{now(), lease.Never}) }

// say notes what was done, for people.
func (w *world) say(format string, args ...any) {
	w.told = append(w.told, fmt.Sprintf("%8.2f  ", now().Sub(w.begun).Seconds())+fmt.Sprintf(format, args...))
}

// upTo draws a duration, short ones more often.
func (w *world) upTo(d time.Duration) time.Duration {
	x := w.random.Float64()
	return time.Duration(x * x * float64(d))
}

func pick[E any](w *world, of []E) E { return of[w.random.IntN(len(of))] }

// await waits until a condition holds; why says what is missing.
func (w *world) await(what string, holds func(context.Context) (why string)) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		why := holds(ctx)
		if why == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("waited %v in vain for %s: %s", limit, what, why)
		}
	}
}

// whole waits until the group is whole: one instance of one region is active, with its layers, one of each other region stands
// by, all others follow, everybody reaches everybody, and the routes are what they say. It returns how long that took.
func (w *world) whole() (took time.Duration) {
	w.t.Helper()
	from := now()
	w.await("the group to be whole", func(ctx context.Context) string {
		active, holder := 0, lease.Region("")
		acts := map[lease.Region]int{}
		var missing []string
		for _, i := range w.instances {
			s, err := i.Status(ctx)
			ok := err == nil && s.Witness.Up
			for _, p := range s.Peers {
				ok = ok && p.Known && (s.State == lease.Follower || p.Quorum != nil && p.Quorum.Reached)
			}
			switch {
			case ok && s.State == lease.Active && s.Authority && s.AllLayers("active"):
				active++
				holder = i.Name
				acts[i.Name]++
			case ok && s.State == lease.Standby && s.AllLayers("inactive"):
				acts[i.Name]++
			case err == nil && s.State == lease.Follower:
			default:
				missing = append(missing, fmt.Sprintf("%v is %s (%s), witness %v, %v", i, s.State, s.Reason.Code, s.Witness.Up, err))
			}
		}
		if active == 1 && len(missing) == 0 && len(acts) == len(w.params.Members) {
			for _, n := range acts {
				if n != 1 {
					return fmt.Sprintf("acting: %v", acts)
				}
			}
			return strings.Join(w.astray(ctx, holder), "; ")
		}
		return fmt.Sprintf("%d are active, acting %v; %s", active, acts, strings.Join(missing, "; "))
	})
	return now().Sub(from)
}

// forgotten are epochs for which an instance has said for a second that it has authority, and that its history does not have.
func (w *world) forgotten() (all []string) {
	w.t.Helper()
	for _, i := range w.instances {
		history, err := i.History()
		must(w.t, err)
		has := map[uint64]bool{}
		for _, h := range history {
			has[h.Epoch] = has[h.Epoch] || h.To == lease.Active
		}
		since := map[uint64]lease.Instant{}
		claims, _ := i.sample.seen()
		for _, c := range claims {
			if from, is := since[c.Epoch]; !is {
				since[c.Epoch] = c.Received
			} else if c.Epoch > 0 && !has[c.Epoch] && !i.filled && c.Sent.Sub(from) > time.Second {
				all = append(all, fmt.Sprintf("%v: its history does not say that it was active for epoch %d", i, c.Epoch))
				has[c.Epoch] = true
			}
		}
	}
	return all
}

// records is all that was seen.
func (w *world) records() (all []Record) {
	w.t.Helper()
	for _, i := range w.instances {
		runs, err := i.HookRuns()
		must(w.t, err)
		r := i.record
		for _, h := range runs {
			r.Hooks = append(r.Hooks, Hook{h.At.Add(-i.offset), h.Action, h.Epoch, h.Phase == "end"})
		}
		r.Claims, r.Gates = i.sample.seen()
		r.Writes = i.writes.All()
		all = append(all, r)
	}
	return all
}
