package page_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

var shots = flag.String("shots", "", "keep pictures of the pages in this `folder`")

var cluster = controlplane.Share(1, controlplane.Options{})

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// lookAgain is how often a condition is looked at.
const lookAgain = 20 * time.Millisecond

func times(members ...lease.Region) lease.Params {
	return lease.Params{
		Members: members,
		TTL:     10 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond, PollInterval: 250 * time.Millisecond,
		RequestTimeout: 3 * time.Second, FenceTimeout: 2 * time.Second, MaxClockDrift: 0.002,
	}
}

// A region is a daemon with what its probe looks at.
type region struct {
	*daemon.Region
	ill atomic.Bool
}

// newGroup is three regions that run, with a quorum over real resolvers, and a probe each.
func newGroup(t *testing.T, binaries daemon.Binaries) (regions []*region) {
	t.Helper()
	params := times("fsn", "hel", "nbg")
	lab := resolvers.Start(t, params.Members)
	quorum := &daemon.Quorum{
		Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: params.RequestTimeout * 3 / 4,
	}
	for _, m := range params.Members {
		quorum.Listen[m] = lab.Region(m)
		for _, resolver := range lab.Resolvers {
			quorum.Resolvers[m] = append(quorum.Resolvers[m], resolver.Address)
		}
	}
	for _, r := range daemon.NewGroup(t, binaries, params, quorum).Regions {
		of := &region{Region: r}
		looked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if of.ill.Load() {
				http.Error(w, "down", http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(looked.Close)
		of.Configure(t, "", fmt.Sprintf("health:\n  degraded_after: 2s\n  recovered_after: 2s\n  probes: [{name: gateway, http: %q, interval: 500ms, timeout: 400ms}]\n", looked.URL))
		r.Start(t)
		regions = append(regions, of)
	}
	return regions
}

// settle waits until one region is active, and the others are standbys that all reach one another.
func settle(t *testing.T, regions []*region) (holder *region, standbys []*region) {
	t.Helper()
	await(t, "one active region, and standbys that all reach one another", func(ctx context.Context) bool {
		var whole bool
		holder, standbys, whole = daemon.Whole(ctx, regions)
		return whole
	})
	return holder, standbys
}

// await waits until a condition holds; instead says what does, if it has been in vain.
func await(t *testing.T, what string, holds func(context.Context) bool, instead ...func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for !holds(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			for _, say := range instead {
				t.Log(say())
			}
			t.Fatalf("waited %v in vain: %s", daemon.Patience, what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
