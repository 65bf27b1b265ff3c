package notify_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

const (
	// peerTimeout is how long the second Alertmanager waits for the first one, and groupInterval how often each looks at an alert. Were
	// that less, the second one could tell again of what has ended while it waited.
	peerTimeout, groupInterval = 3 * time.Second, 10 * time.Second

	// token is what both webhooks' requests bear.
	token = "e2e-token"
)

// A hook is a webhook that checks signatures by itself, and takes each id once, as documented.
type hook struct {
	*httptest.Server
	key []byte

	mu      sync.Mutex
	told    []message
	seen    map[string]int // how often each id came
	refused []string       // what had no right signature or token
}

// A message is what a webhook gets, as documented.
type message struct {
	ID, Kind, Region, Severity, Runbook string
	Reason                              lease.ReasonCode
	To                                  lease.StateName
	Epoch                               uint64
	Time                                time.Time
	Began                               *time.Time
	Alarms                              []struct{ Reason lease.ReasonCode }
}

func newHook(t *testing.T) *hook {
	h := &hook{key: []byte(strings.Repeat("k", 32)), seen: map[string]int{}}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		id := r.Header.Get("webhook-id")
		mac := hmac.New(sha256.New, h.key)
		fmt.Fprintf(mac, "%s.%s.%s", id, r.Header.Get("webhook-timestamp"), body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		var m message
		h.mu.Lock()
		defer h.mu.Unlock()
		if !hmac.Equal([]byte(want), []byte(r.Header.Get("webhook-signature"))) || r.Header.Get("Authorization") != "Bearer "+token || json.Unmarshal(body, &m) != nil || m.ID != id {
			h.refused = append(h.refused, fmt.Sprint(r.Header, string(body)))
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if h.seen[id]++; h.seen[id] == 1 {
			h.told = append(h.told, m)
		}
	}))
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

// of are the messages of a region, in the order in which they came.
func (h *hook) of(r lease.Region) (all []message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.told {
		if m.Region == string(r) {
			all = append(all, m)
		}
	}
	return all
}

// A pager is whom the Alertmanagers tell.
type pager struct {
	*httptest.Server

	mu   sync.Mutex
	told []page
}

// A page is one alert in one notification of an Alertmanager.
type page struct {
	Status              string
	Labels, Annotations map[string]string
	StartsAt, EndsAt    time.Time
}

func newPager(t *testing.T) *pager {
	p := &pager{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var of struct{ Alerts []page }
		if err := json.NewDecoder(r.Body).Decode(&of); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = append(p.told, of.Alerts...)
	}))
	t.Cleanup(p.Close)
	return p
}

// pages are those of a region with a status, and with labels as given.
func (p *pager) pages(r lease.Region, status string, labels map[string]string) (all []page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.told {
		ok := a.Status == status && a.Labels["failover_region"] == string(r)
		for name, value := range labels {
			ok = ok && a.Labels[name] == value
		}
		if ok {
			all = append(all, a)
		}
	}
	return all
}

// A world is a group whose regions tell two Alertmanagers, which are a cluster and tell the pager, a webhook, and one that hangs.
type world struct {
	t       *testing.T
	regions []*daemon.Region
	pager   *pager
	hook    *hook
	hanging *httptest.Server
	ams     []*daemon.Process
	amURLs  []string
}

func (w *world) write(dir, name, text string) (path string) {
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// alertmanagers starts a cluster of two, that tell each alert by itself.
func (w *world) alertmanagers() {
	const program = "prometheus-alertmanager"
	path, err := exec.LookPath(program)
	if err != nil {
		w.t.Fatalf("%s is missing; run e2e/setup.sh, or install Debian's package prometheus-alertmanager", program)
	}
	peer := daemon.FreeAddress(w.t)
	for i, gossip := range []string{peer, daemon.FreeAddress(w.t)} {
		dir, listen := w.t.TempDir(), daemon.FreeAddress(w.t)
		config := w.write(dir, "alertmanager.yaml", fmt.Sprintf(
			"route: {receiver: pager, group_by: ['...'], group_wait: 200ms, group_interval: %v, repeat_interval: 4h}\nreceivers: [{name: pager, webhook_configs: [{url: %q, send_resolved: true}]}]\n", groupInterval, w.pager.URL))
		argv := []string{path, "--config.file=" + config, "--storage.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + listen,
			"--cluster.listen-address=" + gossip, "--cluster.advertise-address=" + gossip, "--cluster.peer-timeout=" + peerTimeout.String()}
		if i > 0 {
			argv = append(argv, "--cluster.peer="+peer)
		}
		p, err := daemon.StartProcess(argv...)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { p.CleanUp(w.t, fmt.Sprintf("Alertmanager %d", i)) })
		w.ams, w.amURLs = append(w.ams, p), append(w.amURLs, "http://"+listen)
	}
	for _, u := range w.amURLs {
		daemon.Await(w.t, "a cluster of two Alertmanagers at "+u, func() bool {
			var status struct {
				Cluster struct {
					Status string
					Peers  []struct{}
				}
			}
			body, err := w.get(u + "/api/v2/status")
			return err == nil && json.Unmarshal(body, &status) == nil && status.Cluster.Status == "ready" && len(status.Cluster.Peers) == 2
		})
	}
}

// newWorld is a world in which nothing runs yet but the receivers, with more sections in each region's configuration.
func newWorld(t *testing.T, more string) *world {
	w := &world{t: t, pager: newPager(t), hook: newHook(t)}
	w.hanging = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before that the server can't notice that the client has gone
		<-r.Context().Done()
	}))
	t.Cleanup(func() { w.hanging.CloseClientConnections(); w.hanging.Close() })
	w.alertmanagers()
	dir := t.TempDir()
	ca := w.write(dir, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.hook.Certificate().Raw})))
	secret := w.write(dir, "secret", "whsec_"+base64.StdEncoding.EncodeToString(w.hook.key)+"\n")
	sections := fmt.Sprintf(`notifications:
  alertmanager: {urls: ["%s"]}
  webhooks:
    - {name: oncall, url: %q, secret_file: %q, ca_file: %q, bearer_token_file: %q}
    - {name: hanging, url: %q, secret_file: %[3]q}
`, strings.Join(w.amURLs, `", "`), w.hook.URL+"/failoverd", secret, ca, w.write(dir, "token", token), w.hanging.URL)
	w.regions = daemon.NewGroup(t, daemon.Build(t, true), daemon.ShortTimes("fsn", "hel"), nil).Regions
	for _, r := range w.regions {
		r.Configure(t, "", sections+more)
	}
	return w
}

func (w *world) get(url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// active waits until a region is.
func (w *world) active(r *daemon.Region) {
	w.t.Helper()
	daemon.Await(w.t, string(r.Name)+" is active", func() bool {
		s, err := r.Status(w.t.Context())
		return err == nil && s.State == lease.Active && s.AllLayers("active")
	})
}

// counted is how often an outcome was counted for a receiver, by a region's metrics.
func (w *world) counted(r *daemon.Region, receiver, outcome string) (n int) {
	w.t.Helper()
	page, err := w.get("http://" + r.Address() + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	series := fmt.Sprintf("failoverd_notifications_total{outcome=%q,receiver=%q} ", outcome, receiver)
	_, value, ok := bytes.Cut(page, []byte("\n"+series))
	if _, err := fmt.Sscan(string(value), &n); !ok || err != nil {
		w.t.Fatalf("%s has no series %s", r.Name, series)
	}
	return n
}
