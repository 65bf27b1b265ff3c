package mirror

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/mirror"
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
