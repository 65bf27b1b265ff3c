package dnsload

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

var floodFlag = flag.Duration("flood", 8*time.Second, "TestFlood: how `long` each flood is")

// rate is how many queries a second the daemon takes from one source.
const rate = 50

// A group is two daemons, of which one holds authority, with real resolvers between them.
type group struct {
	t               *testing.T
	params          lease.Params
	lab             *resolvers.Lab
	holder, standby *daemon.Region

	mu     sync.Mutex
	asked  map[lease.Region][]lease.Instant // when any request came to the witness
	writes map[lease.Region][]lease.Instant // ... the flag of an active region
}

func newGroup(t *testing.T) *group {
	g := &group{t: t, asked: map[lease.Region][]lease.Instant{}, writes: map[lease.Region][]lease.Instant{}, params: lease.Params{
		Members: []lease.Region{"fsn", "hel"},
		TTL:     6 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond,
		PollInterval: 250 * time.Millisecond, RequestTimeout: time.Second, FenceTimeout: time.Second,
		MaxClockDrift: 0.002,
	}}
	g.lab = resolvers.Start(t, g.params.Members)
	regions := daemon.NewGroup(t, daemon.Build(t, false), g.params, g.lab.Quorum(g.params.RequestTimeout)).Regions
	for _, r := range regions {
		r.Link.Watch(g.watch(r.Name))
		r.Start(t)
	}
	daemon.Await(g.t, "one region is active, and the other reaches it", func() bool {
		for i, r := range regions {
			s, other := r.Ask(t), regions[1-i].Ask(t)
			if s.State == lease.Active && other.State == lease.Standby && other.Peers[0].Quorum.Reached {
				g.holder, g.standby = r, regions[1-i]
				return true
			}
		}
		return false
	})
	return g
}

// watch notes the requests of a region, and which of them are renewals.
func (g *group) watch(r lease.Region) kvserver.Watcher {
	return func(req kvserver.Request) func(int) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asked[r] = append(g.asked[r], bootclock.Clock{}.Now())
		var record struct {
			Body struct {
				Flag lease.Flag `json:"flag"`
			} `json:"body"`
		}
		if req.Method != http.MethodPut || path.Base(path.Dir(req.Key)) != "flag" || json.Unmarshal(req.Value, &record) != nil || record.Body.Flag.State != lease.FlagActive {
			return nil
		}
		g.writes[r] = append(g.writes[r], bootclock.Clock{}.Now())
		return nil
	}
}

// agreed is how many answers of the holder the resolvers brought the standby, and how many they did not.
func (g *group) agreed() (agreed, other int) {
	var answers map[daemon.Answer]int
	daemon.Await(g.t, string(g.standby.Name)+" answers", func() (ok bool) {
		var err error
		answers, err = g.standby.Answers(g.t.Context())
		return err == nil
	})
	for a, n := range answers {
		if a.Outcome == "agreed" {
			agreed += n
		} else {
			other += n
		}
	}
	return agreed, other
}

// queries are what came to the holder's server, by kind, as failoverd_quorum_queries_total has it.
func (g *group) queries() map[string]float64 {
	resp, err := http.Get("http://" + g.holder.Address() + "/metrics")
	if err != nil {
		g.t.Fatal(err)
	}
	defer resp.Body.Close()
	kinds := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var kind string
		var n float64
		if _, err := fmt.Sscanf(lines.Text(), "failoverd_quorum_queries_total{kind=%q} %g", &kind, &n); err == nil {
			kinds[kind] = n
		}
	}
	return kinds
}

// renewals are the times between the holder's renewals since an instant: the first of them begins before it.
func (g *group) renewals(since lease.Instant) []time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return between(g.writes[g.holder.Name], since)
}

// late is by how much this machine, or the witness on it, had anybody late since an instant: the standby, which nobody floods, reads
// there every poll_interval.
func (g *group) late(since lease.Instant) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := append(slices.Clone(g.asked[g.standby.Name]), bootclock.Clock{}.Now())
	return max(0, slices.Max(between(asked, since))-g.params.PollInterval)
}

// between are the times between instants that end since another one.
func between(instants []lease.Instant, since lease.Instant) (times []time.Duration) {
	for i := 1; i < len(instants); i++ {
		if instants[i] >= since {
			times = append(times, instants[i].Sub(instants[i-1]))
		}
	}
	return times
}

// TestFlood floods the server of the region that holds authority, in the ways that there are. Its renewals come on time,
// by the witness's own record, authority is never lost, and the other region gets its answers.
func TestFlood(t *testing.T) {
	g := newGroup(t)
	target := g.lab.Region(g.holder.Name)
	soa := []string{string(g.holder.Name) + "." + resolvers.Zone + " SOA"}
	forged, err := questions(1024, g.holder.Name, []lease.Region{g.standby.Name}, "mallory")
	if err != nil {
		t.Fatal(err)
	}
	dnsperf := func(l load) func() string {
		return func() string {
			l.duration = *floodFlag
			f := l.run(t, target)
			return fmt.Sprintf("%d queries sent, %d answered", f.sent, f.completed)
		}
	}
	for _, tt := range []struct {
		what  string
		flood func() string // takes as long as the flag says, and tells what it did
		all   bool          // the resolvers are to bring all that they bring without a flood
	}{
		{"no flood", func() string { <-time.After(*floodFlag); return "0 queries sent" }, true},
		{"at the limit", dnsperf(load{queries: soa, rate: rate}), true},
		{"20 times the limit", dnsperf(load{queries: soa, rate: 20 * rate, flood: true}), true},
		// More than a socket's buffer takes: the kernel drops any of them.
		{"as fast as it can", dnsperf(load{queries: soa, flood: true}), false},
		{"forged questions, from 400 sources", func() string { return floodFrom(t, target, sources("127.99", 400), forged) }, false},
		{"forged questions, in the name of the resolvers", func() string { return floodFrom(t, target, g.resolvers(), forged) }, false},
	} {
		before := g.holder.Ask(t)
		agreed, other := g.agreed()
		used := g.holder.Process().CPU(t)
		begun := bootclock.Clock{}.Now()
		did := tt.flood()
		took := bootclock.Clock{}.Now().Sub(begun)
		after := g.holder.Ask(t)
		times := g.renewals(begun)
		agreedThen, otherThen := g.agreed()
		agreed, other = agreedThen-agreed, otherThen-other
		late := g.late(begun)
		onTime := g.params.RenewInterval + g.params.RequestTimeout + late
		missed := len(slices.DeleteFunc(slices.Clone(times), func(d time.Duration) bool { return d <= onTime }))
		if len(times) == 0 {
			t.Fatalf("%s: no renewal", tt.what)
		}
		t.Logf("%s: %s; %d renewals, %v apart at most, %d missed, the standby's reads %v late; %d of %d answers of the resolvers agreed; %.0f%% of a core, RSS %d MiB",
			tt.what, did, len(times), slices.Max(times).Round(time.Millisecond), missed, late.Round(time.Millisecond), agreed, agreed+other,
			100*(g.holder.Process().CPU(t)-used).Seconds()/took.Seconds(), g.holder.Process().RSS(t)>>20)
		if missed > 0 {
			t.Errorf("%s: renewals are %v apart, want at most %v, by how much the standby's reads were late too (%v) included", tt.what, times, onTime, late)
		}
		if !after.Authority || after.Epoch != before.Epoch || g.standby.Ask(t).State != lease.Standby {
			t.Errorf("%s: the holder was %s for epoch %d, and is %s for epoch %d", tt.what, before.State, before.Epoch, after.State, after.Epoch)
		}
		if agreed == 0 || tt.all && 3*agreed < 2*(agreed+other) {
			t.Errorf("%s: %d of %d answers agreed: the other region's questions don't come through", tt.what, agreed, agreed+other)
		}
		daemon.Await(g.t, tt.what+": the other region reaches the holder again", func() bool { return g.standby.Ask(t).Peers[0].Quorum.Reached })
	}
	kinds := g.queries()
	t.Logf("what the queries were: %v", kinds)
	for _, kind := range []string{"answered", "repeated", "plain", "bad_signature", "limited"} {
		if kinds[kind] == 0 {
			t.Errorf("/metrics counts no query of the kind %s", kind)
		}
	}
	history, err := g.holder.History()
	if err != nil {
		t.Fatal(err)
	}
	if last := history[len(history)-1]; last.To != lease.Active || last.Epoch != g.holder.Ask(t).Epoch {
		t.Errorf("%s: %+v", g.holder.Name, last)
	}
}

// resolvers are the addresses that resolvers ask from, as far as the lab says.
func (g *group) resolvers() []string {
	hosts := map[string]bool{}
	for _, r := range g.lab.Resolvers {
		host, _, _ := strings.Cut(r.Address, ":")
		hosts[host] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}

// sources are addresses of a network of loopback, 127.x.
func sources(network string, n int) []string {
	var addresses []string
	for i := range n {
		addresses = append(addresses, fmt.Sprintf("%s.%d.%d", network, i/250, 1+i%250))
	}
	return addresses
}

// floodFrom sends queries from all sources in turn, as fast as it can, for as long as the flag says: what one who forges
// sources would do.
func floodFrom(t *testing.T, target string, sources, queries []string) string {
	t.Helper()
	var packets [][]byte
	for _, q := range queries {
		name, _, _ := strings.Cut(q, " ")
		packed, err := new(dns.Msg).SetQuestion(name+".", dns.TypeTXT).Pack()
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, packed)
	}
	to, err := net.ResolveUDPAddr("udp", target)
	if err != nil {
		t.Fatal(err)
	}
	var conns []*net.UDPConn
	for _, s := range sources {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(s)}, to)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	end := time.Now().Add(*floodFlag)
	sent := 0
	for time.Now().Before(end) {
		for range 1000 {
			if _, err := conns[sent%len(conns)].Write(packets[sent%len(packets)]); err != nil {
				t.Fatal(err)
			}
			sent++
		}
	}
	return fmt.Sprintf("%d queries sent", sent)
}
