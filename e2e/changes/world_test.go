package changes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// A world is a group whose configurations are what change.
type world struct {
	t *testing.T
	*daemon.Group
	prefix string // of the keys in the witness
}

func newWorld(t *testing.T) *world {
	t.Helper()
	all := []lease.Region{"fsn", "hel", "nbg"}
	p := lease.Params{
		Members: all,
		TTL:     6 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond,
		PollInterval: 250 * time.Millisecond, RequestTimeout: 2 * time.Second, FenceTimeout: 2 * time.Second,
		MaxClockDrift: 0.002,
	}
	lab := resolvers.Start(t, all)
	w := &world{t, daemon.NewGroup(t, daemon.Build(t, true), p, lab.Quorum(p.RequestTimeout*3/4)), "failoverd"}
	w.Params.Members = all[:2]
	for _, m := range all[:2] {
		w.write(m)
		w.region(m).Start(t)
	}
	return w
}

func (w *world) region(name lease.Region) *daemon.Region {
	return w.Regions[slices.IndexFunc(w.Regions, func(r *daemon.Region) bool { return r.Name == name })]
}

// write puts a region's new configuration into place.
func (w *world) write(name lease.Region) {
	w.t.Helper()
	yaml := strings.Replace(w.region(name).YAML(), "  type: cloudflare-kv\n", "  type: cloudflare-kv\n  prefix: "+w.prefix+"\n", 1)
	if err := os.WriteFile(w.region(name).ConfigFile(), []byte(yaml), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// stop stops a region's agent, and lets it stop.
func (w *world) stop(name lease.Region) {
	w.t.Helper()
	if err := w.region(name).Process().Terminate(); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	if code, err := w.region(name).Process().Wait(ctx); err != nil || code != 0 {
		w.t.Fatalf("%s: stopped with %d, %v", name, code, err)
	}
}

// await waits until a condition holds of a region.
func (w *world) await(name lease.Region, what string, holds func(daemon.Status) bool) {
	w.t.Helper()
	w.region(name).Await(w.t, what, holds)
}

func standby(s daemon.Status) bool { return s.State == lease.Standby }

// settled waits until one member is active, and serves, and the others stand by and reach it. It returns the active one.
func (w *world) settled() (active lease.Region) {
	w.t.Helper()
	said := map[lease.Region]daemon.Status{}
	daemon.Await(w.t, "the group has settled", func() bool {
		active = ""
		well := 0
		for _, m := range w.Params.Members {
			s, err := w.region(m).Status(w.t.Context())
			said[m] = s
			reached := len(s.Alarms) == 0 && s.Witness.Up
			for _, p := range s.Peers {
				reached = reached && p.Quorum != nil && p.Quorum.Reached
			}
			switch {
			case err != nil || !reached:
			case s.State == lease.Active && s.AllLayers("active"):
				active = m
				well++
			case s.State == lease.Standby:
				well++
			}
		}
		return active != "" && well == len(w.Params.Members)
	}, func() string { return fmt.Sprintf("%+v", said) })
	return active
}

// roll puts the new configurations into place: first those of the standbys, then that of the active region, which is stopped
// before, not killed. Some regions may have theirs already.
func (w *world) roll(active lease.Region, but ...lease.Region) {
	w.t.Helper()
	for _, m := range w.Params.Members {
		if m != active && !slices.Contains(but, m) {
			w.stop(m)
			w.write(m)
			w.region(m).Start(w.t)
			w.await(m, "stands by", standby)
		}
	}
	w.stop(active)
	w.write(active)
	w.region(active).Start(w.t)
}

// newKey makes a region's new key, puts it into place, and its public half into the parameters.
func (w *world) newKey(name lease.Region) {
	w.t.Helper()
	r := w.region(name)
	p, err := daemon.StartProcess(w.Binaries.Daemon, "keygen", "--out", r.Path("region.key.new"))
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	code, err := p.Wait(ctx)
	public, stderr := p.Output()
	if err != nil || code != 0 {
		w.t.Fatalf("keygen: %d, %v\n%s", code, err, stderr)
	}
	if err := os.Rename(r.Path("region.key.new"), r.KeyFile()); err != nil { // the agent that runs has read the old one
		w.t.Fatal(err)
	}
	w.Params.Keys[name] = strings.TrimSpace(public)
}

func (w *world) does(name lease.Region, args ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	if code, output, err := w.region(name).CLI(ctx, args...); err != nil || code != 0 {
		w.t.Fatalf("%s: failoverd %v: exit code %d, %v\n%s", name, args, code, err, output)
	}
}

// empty deletes every key of the namespace.
func (w *world) empty() {
	w.t.Helper()
	at := fmt.Sprintf("%s/accounts/%s/storage/kv/namespaces/%s", w.Server.BaseURL, w.Server.AccountID, w.Server.NamespaceID)
	var list struct {
		Result []struct{ Name string }
	}
	w.rest(http.MethodGet, at+"/keys", &list)
	if len(list.Result) < 4 {
		w.t.Fatalf("found %d keys, want four at least: a flag and an info record of each region", len(list.Result))
	}
	for _, k := range list.Result {
		w.rest(http.MethodDelete, at+"/values/"+url.PathEscape(k.Name), &struct{}{})
	}
}

func (w *world) rest(method, at string, into any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, at, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.Server.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %s, %v", method, at, resp.Status, err)
	}
}

// stays looks at the regions for some time, in which the active one stays that.
func (w *world) stays(active lease.Region, d time.Duration) {
	w.t.Helper()
	tick := time.NewTicker(daemon.LookAgain)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		for _, m := range w.Params.Members {
			s, err := w.region(m).Status(w.t.Context())
			if err == nil && (s.State == lease.Active) != (m == active) {
				w.t.Fatalf("%s is %s: %s", m, s.State, s.Reason.Code)
			}
		}
	}
}

// neverTwo reads from the hooks that no region began to activate before another one had fenced.
func (w *world) neverTwo() {
	w.t.Helper()
	type serving struct {
		region     lease.Region
		begin, end lease.Instant
	}
	var all []serving
	for _, r := range w.Regions {
		runs, err := r.HookRuns()
		if err != nil {
			w.t.Fatal(err)
		}
		open := false
		for _, run := range runs {
			switch {
			case run.Action == "activate" && run.Phase == "begin" && !open:
				all, open = append(all, serving{r.Name, run.At, lease.Instant(1<<62 - 1)}), true
			case run.Action == "fence" && run.Phase == "end" && open:
				all[len(all)-1].end, open = run.At, false
			}
		}
	}
	if len(all) < 6 {
		w.t.Errorf("regions served %d times, want six at least: %v", len(all), all)
	}
	for i, a := range all {
		for _, b := range all[:i] {
			if a.region != b.region && a.begin < b.end && b.begin < a.end {
				w.t.Errorf("%s and %s served at once: %v, %v", a.region, b.region, a, b)
			}
		}
	}
	w.t.Logf("regions served %d times, never two at once", len(all))
}
