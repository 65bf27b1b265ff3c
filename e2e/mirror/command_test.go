package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/mirror"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// TestCommand commands a real daemon by kubectl: what is written on the Lease is obeyed once, and answered, where that is
// configured, and left alone where it is not.
func TestCommand(t *testing.T) {
	plane := cluster.Planes(t)[0]
	client := newClient(t, plane.Config())
	times := daemon.ShortTimes("fsn", "hel")
	times.FenceTimeout = 3 * time.Second
	group := daemon.NewGroup(t, daemon.Build(t, true), times, nil)
	namespaces := map[lease.Region]string{}
	for i, r := range group.Regions {
		namespaces[r.Name] = plane.Namespace(t)
		yaml := strings.Replace(r.YAML(), "layers:\n", fmt.Sprintf(
			"mode: manual\nkubernetes: {kubeconfig: %q, namespace: %s, commands: %v}\nlayers:\n", plane.Kubeconfig, namespaces[r.Name], i == 0), 1)
		if err := os.WriteFile(r.ConfigFile(), []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		r.Start(t)
	}
	bears := func(r lease.Region, name string) string {
		if o := readLease(client, namespaces[r]); o != nil {
			return o.GetAnnotations()["failover.openova.io/"+name]
		}
		return ""
	}
	annotate := func(r lease.Region, annotations ...string) {
		t.Helper()
		args := []string{"-n", namespaces[r], "annotate", "--overwrite", "lease", mirror.LeaseName(group.Params.Group)}
		for _, a := range annotations {
			args = append(args, "failover.openova.io/"+a)
		}
		kubectl(t, plane, "", args...)
	}
	answered := func(r lease.Region, command, answer string) {
		t.Helper()
		daemon.Await(t, command+" is answered "+answer, func() bool {
			got := bears(r, "answer")
			return strings.Contains(got, " "+command+": ") && strings.Contains(got, answer) && bears(r, "command") == "" && bears(r, "reason") == ""
		})
		t.Logf("%s: %s", r, bears(r, "answer"))
	}
	for _, r := range group.Regions {
		daemon.Await(t, string(r.Name)+" stands by", func() bool { return bears(r.Name, "state") == string(lease.Standby) })
	}
	annotate("fsn", "command=approve", "reason=a test")
	answered("fsn", "approve", "semi_automatic")
	annotate("fsn", "command=takeover")
	answered("fsn", "takeover", "failover.openova.io/reason is missing")
	annotate("fsn", "command=takeover", "reason=a test")
	answered("fsn", "takeover", "done")
	daemon.Await(t, "fsn is active", func() bool { return bears("fsn", "state") == string(lease.Active) })
	annotate("fsn", "command=switchover --to hel", "reason=a test")
	answered("fsn", "switchover --to hel", "quorum_configured")
	annotate("fsn", "command=pause --for 2h", "reason=a test")
	answered("fsn", "pause --for 2h", "done")

	// hel does not obey: its Lease is written again, and the command is left alone.
	annotate("hel", "command=takeover", "reason=a test")
	written := map[string]bool{}
	daemon.Await(t, "hel has written its Lease three times since", func() bool {
		written[readLease(client, namespaces["hel"]).GetResourceVersion()] = true
		return len(written) > 3
	})
	if got := bears("hel", "command"); got != "takeover" {
		t.Errorf("hel's Lease bears the command %q, want it left alone", got)
	}

	code, out, err := group.Regions[0].CLI(context.Background(), "audit", "verify")
	if code != 0 || err != nil {
		t.Errorf("audit verify: %d, %v: %s", code, err, out)
	}
}

// TestCommandLost cuts the way to the API server when a command is taken off the Lease, before the API server has done so, and after: it is
// obeyed once, if it is still there, and else not at all, and that is answered.
func TestCommandLost(t *testing.T) {
	plane := cluster.Planes(t)[0]
	namespace := plane.Namespace(t)
	var cut atomic.Pointer[string] // when: before or after
	config := plane.Config()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPut || cut.Load() == nil {
				return next.RoundTrip(r)
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			when := ""
			if bytes.Contains(body, []byte(`f:failover.openova.io/command`)) { // whose it was is still said
				when = *cut.Swap(nil)
			}
			if when == "before" {
				return nil, errors.New("cut")
			}
			resp, err := next.RoundTrip(r)
			if when == "after" && err == nil {
				resp.Body.Close()
				return nil, errors.New("cut")
			}
			return resp, err
		})
	})
	var mu sync.Mutex
	var obeyed []string
	s := startWith(t, config, namespace, params(), func(m *mirror.Mirror) {
		m.Obey(func(_ context.Context, c audit.Command) error {
			mu.Lock()
			defer mu.Unlock()
			obeyed = append(obeyed, c.Reason)
			return nil
		})
	})
	s.Show(active(1, 0), nil)
	client := newClient(t, plane.Config())
	daemon.Await(t, "the Lease", func() bool { return readLease(client, namespace) != nil })
	for _, tt := range []struct{ when, answer string }{{"before", "done"}, {"after", "not obeyed"}, {"never", "done"}} {
		cut.Store(&tt.when)
		kubectl(t, plane, "", "-n", namespace, "annotate", "--overwrite", "lease", mirror.LeaseName("e2e"), "failover.openova.io/command=resume", "failover.openova.io/reason="+tt.when)
		daemon.Await(t, "it is cut, and answered", func() bool {
			bears := readLease(client, namespace).GetAnnotations()
			return cut.Load() == nil && bears["failover.openova.io/command"] == "" && strings.Contains(bears["failover.openova.io/answer"], " resume: "+tt.answer)
		}, func() string { return fmt.Sprint(readLease(client, namespace).GetAnnotations()) })
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"before", "never"}; !slices.Equal(obeyed, want) {
		t.Errorf("obeyed are those that were cut %q, want %q", obeyed, want)
	}
	if got := strings.Count(s.logged(), "is not known: it is obeyed only if it is found again"); got != 2 {
		t.Errorf("the log says %d times that a command may be lost, want 2:\n%s", got, s.logged())
	}
}
