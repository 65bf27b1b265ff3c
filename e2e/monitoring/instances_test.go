package monitoring_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// A cluster is a world in which fsn has two instances, that choose one by a real API server; hel waits for approvals, watches a GPU, and
// tells a webhook; and nbg does what it is told alone.
type cluster struct {
	*world
	plane     *controlplane.Plane
	instances []*region // fsn's
	hel, nbg  *region
	xid       atomic.Int64 // of hel's GPU
	refuses   atomic.Bool  // hel's webhook takes nothing
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{world: &world{t: t}, plane: controlplane.Start(t, 1, controlplane.Options{})[0]}
	lab := resolvers.StartServers(t, map[lease.Region]int{"fsn": 2, "hel": 1, "nbg": 1})
	c.address = lab.Address
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE DCGM_FI_DEV_XID_ERRORS gauge\nDCGM_FI_DEV_XID_ERRORS{gpu=\"0\",UUID=\"GPU-1\",modelName=\"NVIDIA H100 80GB HBM3\"} %d\n", c.xid.Load())
	}))
	t.Cleanup(exporter.Close)
	webhook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if c.refuses.Load() {
			http.Error(w, "it is not understood", http.StatusBadRequest)
		}
	}))
	t.Cleanup(webhook.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("whsec_"+strings.Repeat("a2tr", 11)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	regions := daemon.NewGroup(t, daemon.Build(t, true, clocks(t)...), quick, lab.Quorum(quick.RequestTimeout*3/4)).Regions
	fsn := regions[0]
	fsn.Configure(t, "", fmt.Sprintf("kubernetes: {kubeconfig: %q, namespace: %s}\ninstances: {term_duration: 1s}\n", c.plane.Kubeconfig, c.plane.Namespace(t)))
	for i, server := range lab.Servers("fsn") {
		r := &region{Region: fsn.Instance(t, fmt.Sprint("fsn", i+1))}
		r.Place(t, lab.Address())
		text := strings.Replace(r.YAML(), fmt.Sprintf("listen: %q", lab.Region("fsn")), fmt.Sprintf("listen: %q", server), 1)
		if err := os.WriteFile(r.ConfigFile(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c.instances = append(c.instances, r)
	}
	c.hel, c.nbg = &region{Region: regions[1]}, &region{Region: regions[2]}
	c.hel.Configure(t, "", fmt.Sprintf(`mode: semi-automatic
gpu: {enabled: true, source: dcgm-exporter, exporter: %[1]q, poll_interval: 500ms}
health: {probes: [{name: gateway, http: %[1]q}]}
notifications:
  webhooks: [{name: oncall, url: %[2]q, secret_file: %[3]q}]
`, exporter.URL, webhook.URL, secret))
	c.nbg.Configure(t, "", "mode: manual\n")
	for _, r := range []*region{c.hel, c.nbg} {
		r.Place(t, lab.Address())
	}
	c.regions = append(slices.Clone(c.instances), c.hel, c.nbg)
	for _, r := range c.regions {
		r.Start(t)
	}
	return c
}

// paired waits until one instance of fsn is active, and the other one follows.
func (c *cluster) paired() (acts, follows *region) {
	c.t.Helper()
	c.await("an instance that acts, and one that follows", func() bool {
		acts, follows = nil, nil
		for _, i := range c.instances {
			s, err := i.Status(c.t.Context())
			switch {
			case err != nil:
			case s.State == lease.Active && s.AllLayers("active"):
				acts = i
			case s.State == lease.Follower:
				follows = i
			}
		}
		return acts != nil && follows != nil
	})
	return acts, follows
}

// TestInstances has Prometheus watch a region of two instances, one that waits for approvals, and one whose clocks go wrong.
func TestInstances(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, follows := c.paired()
	c.watch(hasten)
	c.await("nbg is reached", func() bool { return len(c.query(`failoverd_quorum_reached{peer="nbg"} == 1`)) == 2 })
	drift := "FailoverdClockDrift nbg"
	if slices.Contains(c.firing(""), drift) {
		t.Errorf("%s fires with a clock that is right", drift)
	}
	wrong := time.Now()
	c.fires("a host with wrong clocks, a GPU with an XID, a webhook that takes nothing, a target without labels, an instance that is gone", func() {
		must(c.nbg.Process().Kill())
		c.nbg.Place(t, c.nbg.Address(), "env", driftVariable+"=0.02", wallVariable+"=-1h")
		c.nbg.Start(t)
		c.xid.Store(79)
		c.refuses.Store(true)
		c.rescrape(target{Targets: []string{c.hel.Address()}})
		must(follows.Process().Kill())
	}, "FailoverdGPUUnhealthy hel", "FailoverdWallClocksDiffer hel", "FailoverdNotificationsLost hel", "FailoverdUnlabelled", "FailoverdOneInstance fsn")
	follows.Start(t)
	acts, _ := c.paired()
	c.fires("the API server dies", func() { c.plane.KillAPIServer(t) }, "FailoverdTermUnreachable fsn")
	c.fires("so does the instance that acts, and nobody can follow it", func() { must(acts.Process().Kill()) },
		"FailoverdNobodyActs fsn", "FailoverdApprovalWaiting hel")
	c.await(drift, func() bool { return slices.Contains(c.firing(""), drift) })
	t.Logf("a host with wrong clocks: %s fires after %.1f s", drift, time.Since(wrong).Seconds())
	c.units()
}
