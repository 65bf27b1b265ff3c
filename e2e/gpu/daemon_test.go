package gpu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// A status is what GET /status says of GPUs and evictions, as far as tests look at it.
type status struct {
	Health struct {
		Degraded bool `json:"degraded"`
	} `json:"health"`
	GPUs struct {
		Trouble string `json:"trouble"`
		GPUs    []struct {
			Node      string `json:"node"`
			Condition string `json:"condition"`
		} `json:"gpus"`
	} `json:"gpus"`
	Evictions struct {
		Passed  bool    `json:"passed"`
		PassAge float64 `json:"pass_age_seconds"`
		Trouble string  `json:"trouble"`
		Nodes   []struct {
			Name     string   `json:"name"`
			Leave    string   `json:"leave"`
			Cordoned []string `json:"cordoned_for"`
		} `json:"nodes"`
		Blocked []struct {
			Name   string `json:"name"`
			Budget string `json:"budget"`
		} `json:"blocked"`
		Stopped []struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"stopped"`
		Evicted int `json:"evicted"`
	} `json:"evictions"`
}

// statusOf asks a region's agent.
func statusOf(ctx context.Context, r *daemon.Region) (status, error) {
	var s status
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Address()+"/status", nil)
	if err != nil {
		return s, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// awaitStatus asks a region's agent until a status is as it is to be.
func awaitStatus(t *testing.T, r *daemon.Region, what string, is func(status) bool) {
	t.Helper()
	await(t, fmt.Sprintf("%s: %s", r.Name, what), func(ctx context.Context) error {
		s, err := statusOf(ctx, r)
		if err == nil && !is(s) {
			err = fmt.Errorf("status: %+v", s)
		}
		return err
	})
}

func condition(c string) func(status) bool {
	return func(s status) bool { return len(s.GPUs.GPUs) == 1 && s.GPUs.GPUs[0].Condition == c }
}

// awaitPasses waits until each region has looked at the cluster twice more: once at least for what it knows by now.
func awaitPasses(t *testing.T, regions ...*daemon.Region) {
	t.Helper()
	last, passes := map[*daemon.Region]float64{}, map[*daemon.Region]int{}
	await(t, "all look at the cluster", func(ctx context.Context) error {
		for _, r := range regions {
			s, err := statusOf(ctx, r)
			if err != nil {
				return err
			}
			if age := s.Evictions.PassAge; s.Evictions.Passed && age < last[r] {
				passes[r]++
			}
			last[r] = s.Evictions.PassAge
		}
		for _, r := range regions {
			if passes[r] < 2 {
				return fmt.Errorf("%s: %d passes", r.Name, passes[r])
			}
		}
		return nil
	})
}

// newGroup has one region for each name, all of them in one cluster. Their section gpu watches a page each.
func newGroup(t *testing.T, w *world, health string, pages ...*page) []*daemon.Region {
	t.Helper()
	var members []lease.Region
	for _, p := range pages {
		members = append(members, lease.Region(p.node))
	}
	group := daemon.NewGroup(t, daemon.Build(t, true), daemon.DefaultTimes(append(members, "other")...), nil) // the other one does not run
	for i, p := range pages {
		group.Regions[i].Configure(t, "", fmt.Sprintf(`kubernetes: {kubeconfig: %q}
gpu:
  enabled: true
  source: dcgm-exporter
  exporter: %s
  poll_interval: 100ms
  evict: {max_priority: 1000, grace_period: 1s}
%s`, w.plane.Kubeconfig, p.url, health))
	}
	return group.Regions[:len(pages)]
}

// cordons are the nodes that are cordoned, and for what by the daemon.
func (w *world) cordons() map[string]string {
	w.t.Helper()
	list, err := w.client.CoreV1().Nodes().List(w.t.Context(), metav1.ListOptions{})
	w.must(err)
	all := map[string]string{}
	for _, n := range list.Items {
		if n.Spec.Unschedulable || n.Annotations["failover.openova.io/gpu-cordon"] != "" {
			all[n.Name] = n.Annotations["failover.openova.io/gpu-cordon"]
		}
	}
	return all
}

// TestUnknown has daemons lose sight of their GPUs, each in another way: nobody is evicted for it, no node is cordoned, and one
// that is cordoned stays so.
func TestUnknown(t *testing.T) {
	w := newWorld(t)
	var pages []*page
	for _, name := range []string{"down", "frozen", "midway", "garbled", "refused", "ill"} {
		w.must(w.node(name))
		w.must(w.pod(name, name))
		pages = append(pages, newPage(t, name))
	}
	regions := newGroup(t, w, "", pages...)
	for _, r := range regions {
		r.Start(t)
	}
	for _, r := range regions {
		awaitStatus(t, r, "its GPU is healthy", condition("healthy"))
	}
	awaitPasses(t, regions...)
	check := func(when string, alive []string, cordoned map[string]string) {
		t.Helper()
		if got := slices.Sorted(maps.Keys(w.alive())); !slices.Equal(got, alive) {
			t.Errorf("%s: there are %v, want %v", when, got, alive)
		}
		if got := w.cordons(); !maps.Equal(got, cordoned) {
			t.Errorf("%s: got cordons %v, want %v", when, got, cordoned)
		}
	}
	check("all is well", []string{"down", "frozen", "garbled", "ill", "midway", "refused"}, map[string]string{})

	ill := len(pages) - 1
	pages[ill].xid(79)
	awaitStatus(t, regions[ill], "its GPU is unhealthy", condition("unhealthy"))
	await(t, "its pod leaves", func(context.Context) error {
		if w.alive()["ill"] {
			return errors.New("it is there")
		}
		return nil
	})
	pages[0].down()
	pages[1].freeze()
	pages[2].freezeMidway()
	pages[3].garble()
	pages[4].refuse()
	pages[ill].down()
	for _, r := range regions {
		awaitStatus(t, r, "its GPU is unknown", condition("unknown"))
	}
	w.must(w.pod("late", "ill")) // it was bound there by somebody who does not ask
	awaitPasses(t, regions...)
	for _, r := range regions {
		s, err := statusOf(t.Context(), r)
		w.must(err)
		t.Logf("%s: %s", r.Name, s.GPUs.Trouble)
		if s.GPUs.Trouble == "" || s.Evictions.Trouble != "" {
			t.Errorf("%s: got trouble %q with GPUs and %q with evictions, want it with GPUs alone", r.Name, s.GPUs.Trouble, s.Evictions.Trouble)
		}
	}
	check("nothing is known", []string{"down", "frozen", "garbled", "late", "midway", "refused"}, map[string]string{"ill": "gpu"})
}

// TestDaemon has the daemon evict from a GPU with a fatal error, then for a degraded region, and take it all back. status says
// what there is at each step.
func TestDaemon(t *testing.T) {
	w := newWorld(t)
	for _, node := range []string{"gpu-1", "gpu-2"} {
		w.must(w.node(node))
		w.must(w.pod(node+"-job", node))
		w.must(w.pod(node+"-kept", node))
		w.must(w.pod(node+"-high", node, func(p *corev1.Pod) { p.Spec.PriorityClassName = w.class("important", 1001) }))
		w.budget(node+"-budget", node+"-kept", 1, 1)
	}
	o := w.objects()
	o.create(clusterQueues, "gpus", queue("None"))
	gpus := newPage(t, "gpu-1")
	var ill atomic.Bool
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(web.Close)
	r := newGroup(t, w, fmt.Sprintf("health:\n  degraded_after: 1s\n  recovered_after: 3s\n  probes: [{name: web, http: %q, interval: 1s, timeout: 900ms}]\n", web.URL), gpus)[0]
	r.Start(t)
	awaitStatus(t, r, "its GPU is healthy", condition("healthy"))
	awaitPasses(t, r)
	check := func(when, alive, cordoned, stopped string) {
		t.Helper()
		await(t, when, func(context.Context) error {
			got := fmt.Sprintf("%v %v %s", slices.Sorted(maps.Keys(w.alive())), w.cordons(), o.stopped()["clusterqueues gpus"])
			if want := alive + " " + cordoned + " " + stopped; got != want {
				return fmt.Errorf("got %s, want %s", got, want)
			}
			return nil
		})
	}
	says := func(when string, want ...string) {
		t.Helper()
		code, text, err := r.CLI(t.Context(), "status", "--address", r.Address())
		if err != nil || code != 0 {
			t.Fatalf("%s: status: exit code %d, %v\n%s", when, code, err, text)
		}
		_, text, _ = strings.Cut(text, "\nevictions from GPUs")
		t.Logf("%s: evictions from GPUs%s", when, text)
		for _, line := range want {
			if !strings.Contains(strings.Join(strings.Fields(text), " "), line) {
				t.Errorf("%s: got%s, want %q in it", when, text, line)
			}
		}
	}
	check("all is well", "[gpu-1-high gpu-1-job gpu-1-kept gpu-2-high gpu-2-job gpu-2-kept]", "map[]", "None")
	says("all is well", "0 pods evicted since the start; 0 can't leave yet")

	gpus.xid(79)
	check("a fatal XID", "[gpu-1-high gpu-1-kept gpu-2-high gpu-2-job gpu-2-kept]", "map[gpu-1:gpu]", "None")
	awaitStatus(t, r, "the budget is told", func(s status) bool {
		return len(s.Evictions.Blocked) == 1 && s.Evictions.Blocked[0].Name == "gpu-1-kept" && s.Evictions.Blocked[0].Budget == "gpu-1-budget" && s.Evictions.Evicted == 1
	})
	says("a fatal XID", "1 pods evicted since the start; 1 can't leave yet", "gpu-1 at once gpu", "/gpu-1-kept gpu-1 0 gpu-1-budget", "/gpu-1-job gpu-1 0", "pods that are left:", "1 priority")
	gpus.xid(0) // the exporter was restarted; the GPU is well in a minute

	ill.Store(true)
	check("the region is degraded", "[gpu-1-high gpu-1-kept gpu-2-high gpu-2-kept]", "map[gpu-1:gpu,region gpu-2:region]", "Hold ours")
	awaitStatus(t, r, "what is stopped is told", func(s status) bool {
		e := s.Evictions
		return s.Health.Degraded && len(e.Blocked) == 2 && len(e.Stopped) == 1 && e.Stopped[0].Name == "gpus" && len(e.Nodes) == 2 && e.Nodes[1].Leave == "at_once"
	})
	says("the region is degraded", "2 pods evicted since the start; 2 can't leave yet", "gpu-2 at once region", "clusterqueues.kueue.x-k8s.io gpus", "/gpu-2-job gpu-2 0", "2 priority")

	ill.Store(false)
	check("the region has recovered, the GPU has not", "[gpu-1-high gpu-1-kept gpu-2-high gpu-2-kept]", "map[gpu-1:gpu]", "None")
	check("the GPU is well", "[gpu-1-high gpu-1-kept gpu-2-high gpu-2-kept]", "map[]", "None")
	awaitStatus(t, r, "nothing is left to do", func(s status) bool {
		e := s.Evictions
		return len(e.Nodes)+len(e.Blocked)+len(e.Stopped) == 0 && e.Evicted == 2 && e.Trouble == ""
	})
}
