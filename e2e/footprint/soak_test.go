package footprint

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

var (
	soakFlag = flag.Duration("soak", 90*time.Second, "TestSoak: for how `long`, at least")
	seedFlag = flag.Uint64("seed", 1, "TestSoak: the `seed` of the order of the faults")
)

// room is for what an agent has more of when it is active than when it stands by, and for calls that are under way.
var room = daemon.Weight{Goroutines: 20, Handles: 20, Memory: 8}

// A fault is one thing that a group gets over by itself, or when it is undone; do returns when it is.
type fault struct {
	name string
	do   func(w *world, holder *region, standbys []*region)
}

var faults = []fault{
	{"switchover", func(w *world, holder *region, standbys []*region) {
		code, output, err := holder.CLI(w.t.Context(), "switchover", "--to", string(standbys[0].Name), "--yes", "--reason", "a soak")
		if err != nil || code > 1 { // 1 is no: a region has just not been reached, on a busy machine
			w.t.Fatalf("switchover from %s to %s: exit code %d, %v\n%s", holder.Name, standbys[0].Name, code, err, output)
		}
	}},
	{"the active region is frozen", func(w *world, holder *region, standbys []*region) {
		if err := holder.Process().Freeze(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
		w.taken(standbys)
		if err := holder.Process().Thaw(); err != nil {
			w.t.Fatal(err)
		}
	}},
	{"the active region is cut off", func(w *world, holder *region, standbys []*region) {
		holder.Link.Hang()
		holder.meddle(resolvers.Drops, resolvers.Drops, resolvers.Drops)
		w.taken(standbys)
		holder.Link.Heal()
		holder.meddle(resolvers.Honest, resolvers.Honest, resolvers.Honest)
	}},
	{"the witness answers nobody", func(w *world, _ *region, _ []*region) { w.witness((*kvserver.Link).Hang) }},
	{"the witness refuses all", func(w *world, _ *region, _ []*region) { w.witness((*kvserver.Link).Refuse) }},
	{"two resolvers fail", func(w *world, _ *region, standbys []*region) {
		for _, r := range w.regions {
			r.meddle(resolvers.Truncates, resolvers.Slow, resolvers.Refuses)
		}
		w.await("nobody reached through them", func() bool {
			s, err := standbys[0].Status(w.t.Context())
			return err == nil && reached(s) == 0
		})
		for _, r := range w.regions {
			r.meddle(resolvers.Honest, resolvers.Honest, resolvers.Honest)
		}
	}},
	{"strangers", (*world).strangers},
	{"the configuration is read again", func(w *world, _ *region, _ []*region) {
		for _, r := range w.regions {
			if err := r.Process().Reload(); err != nil {
				w.t.Fatal(err)
			}
		}
	}},
}

// TestSoak has three agents with a quorum live through faults, one after the other. None of the processes ends in all that time, so
// what one has ever more of has leaked, and the test fails; their journals are verified and replayed at its end. The figures are in its log.
func TestSoak(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(*seedFlag, 0))
	begun, told := time.Now(), 0
	done, failovers := map[string]int{}, 0
	var order []int
	holder, standbys := w.settle()
	for time.Since(begun) < *soakFlag {
		if len(order) == 0 {
			order = random.Perm(len(faults))
		}
		f := faults[order[0]]
		order = order[1:]
		random.Shuffle(len(standbys), func(i, j int) { standbys[i], standbys[j] = standbys[j], standbys[i] })
		f.do(w, holder, standbys)
		done[f.name]++
		before := holder
		if holder, standbys = w.settle(); holder != before {
			failovers++
		}
		for _, r := range w.regions {
			r.weights = append(r.weights, r.Weigh(t))
		}
		if minute := int(time.Since(begun).Minutes()); minute > told {
			told = minute
			t.Logf("minute %d, %d failovers: %s", minute, failovers, w.describe())
		}
	}
	t.Logf("%v, seed %d, %d failovers; %v", time.Since(begun).Round(time.Second), *seedFlag, failovers, done)
	for _, r := range w.regions {
		for q, n := 0, len(r.weights); q < 4 && n >= 4; q++ {
			least, most := span(r.weights[q*n/4 : (q+1)*n/4])
			t.Logf("%s, quarter %d: at the least %s; at the most %s", r.Name, q+1, least, most)
		}
		for _, leak := range daemon.Leaks(r.weights, room) {
			t.Errorf("%s, after %d faults: %s", r.Name, len(r.weights), leak)
		}
	}
	for _, bad := range daemon.Audit(t, w.stop()...) {
		t.Error(bad)
	}
}

// A world is a group that runs.
type world struct {
	t       *testing.T
	params  lease.Params
	regions []*region
}

// A region is an agent, its ways to the resolvers, and what it took after each fault.
type region struct {
	*daemon.Region
	ways    []*resolvers.Meddler
	listen  string // of its DNS server
	weights []daemon.Weight
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, params: daemon.ShortTimes("fsn", "hel", "nbg")}
	lab := resolvers.Start(t, w.params.Members)
	quorum := lab.Quorum(w.params.RequestTimeout * 3 / 4)
	for _, m := range w.params.Members {
		r := &region{listen: quorum.Listen[m]}
		for i, resolver := range lab.Resolvers {
			r.ways = append(r.ways, lab.NewMeddler(t, lab.Address(), resolver.Address))
			quorum.Resolvers[m][i] = r.ways[i].Address
		}
		w.regions = append(w.regions, r)
	}
	for i, r := range daemon.NewGroup(t, daemon.Build(t, false), w.params, quorum).Regions {
		w.regions[i].Region = r
		r.Start(t)
	}
	return w
}

// stop ends all agents, and returns them.
func (w *world) stop() (all []*daemon.Region) {
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	for _, r := range w.regions {
		if err := r.Process().Terminate(); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, r.Region)
	}
	for _, r := range all {
		if code, err := r.Process().Wait(ctx); err != nil || code != 0 {
			w.t.Fatalf("%s, asked to stop: exit code %d, %v", r.Name, code, err)
		}
	}
	return all
}

// meddle says what each way to a resolver does from now on.
func (r *region) meddle(does ...resolvers.Meddling) {
	for i, way := range r.ways {
		way.Set(does[i])
	}
}

func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	daemon.Await(w.t, what, holds, func() string {
		var all []string
		for _, r := range w.regions {
			s, err := r.Status(w.t.Context())
			all = append(all, fmt.Sprintf("%s: %+v %v", r.Name, s, err))
		}
		return strings.Join(all, "\n")
	})
}

// settle waits until the group is whole: one region is active, the others stand by, and all reach one another and the witness.
func (w *world) settle() (holder *region, standbys []*region) {
	w.t.Helper()
	w.await("one active region, and standbys that all reach one another", func() bool {
		var whole bool
		holder, standbys, whole = daemon.Whole(w.t.Context(), w.regions)
		return whole
	})
	return holder, standbys
}

// reached is how many others an agent knows and reaches by the quorum.
func reached(s daemon.Status) (n int) {
	for _, p := range s.Peers {
		if p.Known && p.Quorum.Reached {
			n++
		}
	}
	return n
}

// taken waits until one of the regions is active.
func (w *world) taken(by []*region) {
	w.t.Helper()
	daemon.Holder(w.t, by[0].Region, by[1].Region)
}

// witness cuts all regions off from the witness, until the quorum has carried the active one over what its lease was then.
func (w *world) witness(cut func(*kvserver.Link)) {
	for _, r := range w.regions {
		cut(r.Link)
	}
	end := time.NewTimer(w.params.TTL)
	defer end.Stop()
	<-end.C
	for _, r := range w.regions {
		r.Link.Heal()
	}
}

// strangers knock at each agent's doors: they read the page's stream and go, send the control socket what is no command, and
// connect to the DNS server to say nothing.
func (w *world) strangers(*region, []*region) {
	for _, r := range w.regions {
		for range 5 {
			w.stranger("tcp", r.Address(), "GET /events HTTP/1.1\r\nHost: agent\r\n\r\n", http.StatusOK)
			w.stranger("unix", r.Path("socket"), "POST /command HTTP/1.1\r\nHost: agent\r\nContent-Length: 9\r\n\r\n{\"verb\":7", http.StatusBadRequest)
			conn, err := net.Dial("tcp", r.listen)
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(func() { conn.Close() }) // the server ends it long before
		}
	}
}

// stranger connects, says something, reads the beginning of the answer, and goes without a word.
func (w *world) stranger(network, address, says string, want int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write([]byte(says)); err != nil {
		w.t.Fatalf("%s: %v", address, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != want {
		w.t.Fatalf("%s: %q: %+v, %v; want status %d", address, says, resp, err, want)
	}
}

// describe says what each agent took last.
func (w *world) describe() string {
	var all []string
	for _, r := range w.regions {
		all = append(all, fmt.Sprintf("%s %v", r.Name, r.weights[len(r.weights)-1]))
	}
	return strings.Join(all, "; ")
}

// span is the least and the most of each figure.
func span(weights []daemon.Weight) (least, most daemon.Weight) {
	least, most = weights[0], weights[0]
	for _, w := range weights {
		least = daemon.Weight{Goroutines: min(least.Goroutines, w.Goroutines), Handles: min(least.Handles, w.Handles), Memory: min(least.Memory, w.Memory)}
		most = daemon.Weight{Goroutines: max(most.Goroutines, w.Goroutines), Handles: max(most.Handles, w.Handles), Memory: max(most.Memory, w.Memory)}
	}
	return least, most
}
