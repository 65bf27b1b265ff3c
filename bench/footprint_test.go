package bench

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/openova-io/failoverd/e2e/daemon"
)

var (
	idleFlag   = flag.Duration("idle", 10*time.Second, "TestFootprint: for how `long` each system is looked at while it has nothing to do; TestScale, each size")
	startsFlag = flag.Int("starts", 3, "TestFootprint: how `many` times an agent of failoverd is started")
)

// TestFootprint measures what each system takes, one after the other.
func TestFootprint(t *testing.T) {
	only, err := regexp.Compile(*onlyFlag)
	if err != nil {
		t.Fatal(err)
	}
	f, any := Footprint{Idle: idleFlag.Seconds()}, false
	for _, made := range contenders {
		for _, c := range made(t) {
			if only.MatchString(c.Name) {
				any = true
				t.Run(c.Name, func(t *testing.T) {
					w := weigh(t, c)
					t.Logf("%s: %+v, requests an hour: %s", w.System, w.Nodes, perHour(w.Requests))
					f.Systems = append(f.Systems, w)
				})
			}
		}
	}
	if !any {
		t.Fatalf("-only %q is the name of no system", *onlyFlag)
	}
	programs := daemon.Build(t, false, releaseFlags...)
	for range *startsFlag {
		f.Starts = append(f.Starts, firstDecision(t, programs).Seconds())
	}
	t.Logf("from exec to the first decision: %.3v s", f.Starts)
	f.Machine = ThisMachine(t)
	save(t, "footprint.json", f)
}

// releaseFlags are those of `go build` that releases are built with, beside what daemon.Build gives.
var releaseFlags = []string{"-trimpath", "-tags", releaseTags, "-ldflags", "-s -w"}

func perHour(n *float64) string {
	if n == nil {
		return "not counted"
	}
	return fmt.Sprintf("%.0f", *n)
}

// weigh looks at a system that has nothing to do.
func weigh(t *testing.T, c Contender) Weight {
	w := Weight{System: c.Name}
	nodes := c.Start(t, nodes, nil).Nodes()
	daemon.Await(t, "a node of "+c.Name+" is healthy", func() bool {
		return slices.ContainsFunc(nodes, func(n Node) bool { return n.Healthy(t.Context()) })
	})
	asked, counts := storeRequests(t)
	begun := time.Now()
	var before []Usage
	for _, n := range nodes {
		before = append(before, n.Usage())
		w.Nodes = append(w.Nodes, NodeWeight{Node: n.Name()})
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for time.Since(begun) < *idleFlag {
		<-look.C
		for i, n := range nodes {
			w.Nodes[i].RSS = max(w.Nodes[i].RSS, n.Usage().RSS)
		}
	}
	took := time.Since(begun)
	for i, n := range nodes {
		w.Nodes[i].Healthy = n.Healthy(t.Context())
		w.Nodes[i].CPU = (n.Usage().CPU - before[i].CPU).Seconds() / took.Seconds()
	}
	if later, _ := storeRequests(t); counts {
		requests := (later - asked) / took.Hours()
		w.Requests = &requests
	}
	return w
}

// firstDecision starts an agent for the first time, and returns how long that took until it had decided.
func firstDecision(t *testing.T, programs daemon.Binaries) time.Duration {
	dir := t.TempDir()
	region := daemon.NewGroupOn(t, programs, daemon.DefaultTimes("r1", "r2"), nil, func(*daemon.Region) string {
		return fmt.Sprintf("{type: file, staleness: 0s, file: {dir: %q}}", dir)
	}).Regions[0]
	begun := time.Now()
	region.Start(t)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if s, err := region.Status(t.Context()); err == nil && s.State != "" {
			took := time.Since(begun)
			if err := region.Process().Kill(); err != nil {
				t.Fatal(err)
			}
			return took
		}
		<-look.C
	}
}

// storeRequests is how many requests of clients the members of etcd have been given so far that this process runs, by their own
// count. It reports no count where there are none, or where they are an API server's, which asks much for itself.
func storeRequests(tb testing.TB) (sum float64, counts bool) {
	tb.Helper()
	all := children(tb)
	for _, args := range all {
		if filepath.Base(args[0]) == "kube-apiserver" {
			return 0, false
		}
	}
	for name, args := range all {
		if filepath.Base(args[0]) == "etcd" {
			i := slices.Index(args, "--listen-client-urls")
			if i < 0 || i+1 == len(args) {
				tb.Fatalf("bench: process %s listens for no clients: %q", name, args)
			}
			sum += received(tb, args[i+1])
			counts = true
		}
	}
	return sum, counts
}

// received is how many requests a member of etcd has been given by clients: by gRPC, in which a stream has many.
func received(tb testing.TB, url string) (sum float64) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		tb.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		tb.Fatalf("bench: etcd's metrics: %v", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		tb.Fatalf("bench: etcd's metrics: %v", err)
	}
	for _, m := range families["grpc_server_msg_received_total"].GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	return sum
}

// children are the command lines of the processes that this one has started, by their numbers.
func children(tb testing.TB) map[string][]string {
	tb.Helper()
	found := map[string][]string{}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		field := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if string(field[1]) != strconv.Itoa(os.Getpid()) {
			continue
		}
		dir := filepath.Dir(file)
		if line, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && len(line) > 0 {
			found[filepath.Base(dir)] = strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		}
	}
	return found
}
