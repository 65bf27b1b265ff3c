package dnsload

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/e2e/daemon"
)

var (
	runFlag       = flag.Duration("run", 2*time.Second, "TestThroughput: how `long` each run of dnsperf is")
	roundsFlag    = flag.Int("rounds", 1, "TestThroughput: how often each is run, in turn; the best counts")
	questionsFlag = flag.Int("questions", 2048, "TestThroughput: how many signed `questions` are asked; at most 16384")
)

// TestThroughput has dnsperf ask the responder and NLnet Labs' nsd, which serves the same zone, in turn. What only the
// responder can answer, signed questions, it is asked alone.
func TestThroughput(t *testing.T) {
	ours, nsd := startServer(t), startNSD(t)
	var missing []string
	for i := range 1000 {
		missing = append(missing, fmt.Sprintf("x%d.%s A", i, Name))
	}
	for _, tt := range []struct {
		what    string
		queries []string
		rcode   string
	}{
		{"SOA", []string{Name + " SOA"}, "NOERROR"},
		{"names that are not there", missing, "NXDOMAIN"},
	} {
		var best [2]float64
		for range *roundsFlag {
			for i, server := range []string{ours, nsd} {
				f := load{queries: tt.queries, duration: *runFlag}.run(t, server)
				if !strings.HasPrefix(f.rcodes, tt.rcode+" ") || strings.Contains(f.rcodes, ",") || f.completed == 0 {
					t.Errorf("%s: %+v, want nothing but %s", tt.what, f, tt.rcode)
				}
				best[i] = max(best[i], f.perSecond)
			}
		}
		t.Logf("%s: %.0f queries a second, nsd %.0f: ratio %.2f", tt.what, best[0], best[1], best[0]/best[1])
	}
	signed, err := questions(*questionsFlag, Region, Askers(), "")
	if err != nil {
		t.Fatal(err)
	}
	forged, err := questions(*questionsFlag, Region, Askers(), "mallory")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what    string
		queries []string
		rcode   string
	}{
		{"signed questions", signed, "NOERROR"},
		{"the same ones, brought by another resolver", signed, "NOERROR"},
		{"forged questions", forged, "NXDOMAIN"},
	} {
		f := load{queries: tt.queries}.run(t, ours)
		if want := fmt.Sprintf("%s %d (100.00%%)", tt.rcode, *questionsFlag); f.rcodes != want {
			t.Errorf("%s: %+v, want %s", tt.what, f, want)
		}
		t.Logf("%s: %d, %.0f a second", tt.what, *questionsFlag, f.perSecond)
	}
}

// startServer builds the responder as users have it, without the race detector, and starts it.
func startServer(t *testing.T) (address string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "server")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./server").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	address = daemon.FreeAddress(t)
	start(t, address, program, address)
	return address
}

// startNSD starts nsd with the zone of the region.
func startNSD(t *testing.T) (address string) {
	t.Helper()
	dir := t.TempDir()
	address = daemon.FreeAddress(t)
	host, port, _ := strings.Cut(address, ":")
	write := func(name string, lines ...string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	zone := write("zone", Name+". 0 IN SOA "+Name+". hostmaster."+Name+". 1 3600 600 86400 0", Name+". 0 IN NS "+Name+".")
	config := write("nsd.conf", "server:", " ip-address: "+host, " port: "+port, " do-ip6: no", " server-count: 1", " rrl-ratelimit: 0",
		fmt.Sprintf(" zonesdir: %q", dir), fmt.Sprintf(" xfrdir: %q", dir), ` xfrdfile: "xfrd.state"`, ` zonelistfile: "zone.list"`,
		` chroot: ""`, ` username: ""`, ` database: ""`, ` pidfile: ""`,
		"remote-control:", " control-enable: no", "zone:", fmt.Sprintf(" name: %q", Name), fmt.Sprintf(" zonefile: %q", zone))
	start(t, address, find(t, "nsd"), "-d", "-c", config)
	return address
}

// start starts a server, and returns when it answers for the region's zone.
func start(t *testing.T, address string, argv ...string) {
	t.Helper()
	p, err := daemon.StartProcess(argv...)
	if err != nil {
		t.Fatalf("start %s: %v", argv[0], err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		if stdout, stderr := p.Output(); t.Failed() {
			t.Logf("%s:\n%s%s", argv[0], stdout, stderr)
		}
	})
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		reply, err := dns.Exchange(new(dns.Msg).SetQuestion(Name+".", dns.TypeSOA), address)
		if err == nil && len(reply.Answer) == 1 {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%s does not answer: %v, %v", argv[0], reply, err)
		}
	}
}
