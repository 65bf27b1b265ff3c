//go:build clusters

package cnpg_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/clusters"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease"
)

// apiPort is where each agent's API is, in the network of its region.
const apiPort = "9713"

// An agent is the failoverd of a region. It runs in the region's network, but not among its processes: what dies with the
// region, the test kills with it.
type agent struct {
	region  *region
	program string
	runs    []*daemon.Process
	api     *http.Client
}

// startAgents starts an agent in each region, with all that they need: a witness, and resolvers.
func (w *world) startAgents(t *testing.T) {
	t.Helper()
	binaries, server := daemon.Build(t, true), kvserver.Start(t)
	resolvers := w.startResolvers(t)
	var keys string
	for _, r := range w.regions {
		r.agent = &agent{region: r, program: binaries.Daemon}
		r.agent.api = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: r.Dial}}
		code, out, err := r.agent.command(t.Context(), "keygen", "--out", r.Path("region.key"))
		if code != 0 || err != nil {
			t.Fatalf("%s: keygen: exit code %d, %v: %s", r.Name, code, err, out)
		}
		keys += fmt.Sprintf("%s: %q, ", r.Name, strings.TrimSpace(out))
	}
	for _, r := range w.regions {
		config := fmt.Sprintf(`group: e2e
region: %s
members: [fsn, hel]
lease: {ttl: 10s, renew_interval: 1s, retry_interval: 300ms, poll_interval: 250ms, request_timeout: 2s, fence_timeout: 5s, max_clock_drift: 0.2%%}
witness:
  type: cloudflare-kv
  staleness: 0s # local KV is strongly consistent
  cloudflare_kv: {account_id: %s, namespace_id: %s, api_token_file: %s, base_url: %q}
quorum: {zone: %s, listen: "%s:53", resolvers: ["%s"], timeout: 1500ms}
identity: {private_key_file: %s, public_keys: {%s}}
kubernetes: {kubeconfig: %s}
layers: {cnpg: {selector: failover.openova.io/group=e2e, max_lag: 16MiB}}
api: {listen: "127.0.0.1:%s", socket: %q}
state_dir: %s
log: {level: debug, format: text}
`, r.Name, server.AccountID, server.NamespaceID, r.Path("token"), r.relay(t, server.LinkAt(r.Name, clusters.HubIP).BaseURL),
			strings.TrimSuffix(zone, "."), r.IP, strings.Join(resolvers, `", "`), r.Path("region.key"), strings.TrimSuffix(keys, ", "),
			r.Kubeconfig, apiPort, r.Path("failoverd.sock"), r.Path("state"))
		for name, text := range map[string]string{"failoverd.yaml": config, "token": server.Token + "\n"} {
			if err := os.WriteFile(r.Path(name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.agent.start(t)
		t.Cleanup(func() { r.agent.stop(t) })
	}
}

// relay makes a URL in the hub one on the loopback of the region, by way of its link: without TLS failoverd takes no other.
func (r *region) relay(t *testing.T, base string) string {
	t.Helper()
	hub, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := r.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := hub.Host
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			running.Go(func() {
				defer from.Close()
				to, err := r.Dial(ctx, "tcp", address)
				if err != nil {
					return
				}
				defer to.Close()
				defer context.AfterFunc(ctx, func() { from.Close(); to.Close() })()
				go func() { _, _ = io.Copy(to, from); to.Close() }()
				_, _ = io.Copy(from, to)
			})
		}
	})
	t.Cleanup(func() { cancel(); listener.Close(); running.Wait() })
	hub.Host = listener.Addr().String()
	return hub.String()
}

// inNetwork is a command line that runs the agent's program in the network of the region.
func (a *agent) inNetwork(args ...string) []string {
	return append([]string{"nsenter", "--net=" + a.region.Netns(), a.program}, args...)
}

// start starts the region's agent. There must not be one that runs.
func (a *agent) start(t *testing.T) {
	t.Helper()
	p, err := daemon.StartProcess(a.inNetwork("run", "--config", a.region.Path("failoverd.yaml"))...)
	if err != nil {
		t.Fatalf("%s: start failoverd: %v", a.region.Name, err)
	}
	a.runs = append(a.runs, p)
	ctx, cancel := context.WithTimeout(t.Context(), awaitLimit)
	defer cancel()
	if _, err := p.WaitReady(ctx); err != nil {
		t.Fatalf("%s: start failoverd: %v", a.region.Name, err)
	}
}

func (a *agent) kill(t *testing.T) {
	t.Helper()
	if err := a.runs[len(a.runs)-1].Kill(); err != nil {
		t.Fatalf("%s: %v", a.region.Name, err)
	}
}

// stop ends the agent at the end of the test, and keeps what all its runs have said.
func (a *agent) stop(t *testing.T) {
	a.kill(t)
	var all strings.Builder
	for _, p := range a.runs {
		stdout, stderr := p.Output()
		fmt.Fprintf(&all, "%s%s\n", stdout, stderr)
	}
	if strings.Contains(all.String(), "DATA RACE") {
		t.Errorf("%s: a data race in failoverd", a.region.Name)
	}
	if err := os.WriteFile(a.region.Path("log/failoverd"), []byte(all.String()), 0o600); err != nil {
		t.Error(err)
	}
}

// command runs a command of the agent's binary in the network of the region.
func (a *agent) command(ctx context.Context, args ...string) (code int, output string, err error) {
	p, err := daemon.StartProcess(a.inNetwork(args...)...)
	if err != nil {
		return 0, "", err
	}
	code, err = p.Wait(ctx)
	stdout, stderr := p.Output()
	return code, stdout + stderr, err
}

// status asks the region's agent. ok is false if it does not answer.
func (a *agent) status(ctx context.Context) (s daemon.Status, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+apiPort+"/status", nil)
	if err != nil {
		return s, false
	}
	resp, err := a.api.Do(req)
	if err != nil {
		return s, false
	}
	defer resp.Body.Close()
	return s, resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(&s) == nil
}

// became is when the agent came to be in a state first, after some time.
func (a *agent) became(t *testing.T, state lease.StateName, since time.Time) (daemon.Transition, bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.region.Path("state"), "history.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		var h daemon.Transition
		if json.Unmarshal([]byte(line), &h) == nil && h.To == state && h.Time.After(since) {
			return h, true
		}
	}
	return daemon.Transition{}, false
}
