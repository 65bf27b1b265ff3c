package kubewitness

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// kubeconfig is a file by which a program comes as the agent.
func kubeconfig(t *testing.T, plane *controlplane.Plane) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(plane.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range config.AuthInfos {
		u.Impersonate = user
	}
	name := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, name); err != nil { // with mode 0600
		t.Fatal(err)
	}
	return name
}

// The API server is frozen, and killed, for less than the TTL: nobody loses or takes anything. Then the holder is killed:
// the other one takes, not before the authority of the first has ended.
func TestDaemons(t *testing.T) {
	plane := controlplane.Start(t, 1, controlplane.Options{})[0]
	namespace := plane.Namespace(t)
	asAgent(t, plane, namespace)
	file := kubeconfig(t, plane)
	params := daemon.DefaultTimes("fsn", "hel")
	params.PollInterval = time.Second
	params.TTL = 90 * time.Second // kube-apiserver is to be back, and to take a write, before that ends, however busy the machine is
	g := daemon.NewGroupOn(t, daemon.Build(t, true), params, nil, func(*daemon.Region) string {
		return fmt.Sprintf("{type: kubernetes, staleness: 0s, kubernetes: {kubeconfig: %q, namespace: %s}}", file, namespace)
	})
	status := func(r *daemon.Region) daemon.Status {
		s, err := r.Status(t.Context())
		if err != nil {
			return daemon.Status{}
		}
		return s
	}
	for _, r := range g.Regions {
		r.Start(t)
	}
	first, second := g.Regions[0], g.Regions[1]
	daemon.Await(t, "one is active, and the other is standby", func() bool {
		if status(second).State == lease.Active {
			first, second = second, first
		}
		s := status(first)
		return s.State == lease.Active && s.AllLayers("active") && status(second).State == lease.Standby
	})
	if _, said, err := first.CLI(t.Context(), "check", "--live"); err != nil || !strings.Contains(said, "each of 5 writes was there in 4 reads at once; ConfigMap ") {
		t.Errorf("check --live: %v, want that it tried the namespace, in which it may not delete:\n%s", err, said)
	}
	had := first.Authority(t)
	for _, harm := range []struct{ begin, end func(testing.TB) }{
		{plane.FreezeAPIServer, plane.ThawAPIServer},
		{plane.KillAPIServer, plane.StartAPIServer},
	} {
		harm.begin(t)
		daemon.Await(t, "both know that the witness is down", func() bool {
			return !status(first).Witness.Up && !status(second).Witness.Up
		})
		harm.end(t)
		at := bootclock.Clock{}.Now()
		daemon.Await(t, "the holder has renewed since", func() bool { return first.Authority(t).Deadline > at.Add(params.TTL) })
	}
	if has, s := first.Authority(t), second.Ask(t); has.Epoch != had.Epoch || s.State != lease.Standby {
		t.Errorf("%s has epoch %d, %s is %s; want epoch %d and a standby: the witness was back within the TTL", first.Name, has.Epoch, second.Name, s.State, had.Epoch)
	}

	_, gap := g.Failover(t, first)
	t.Logf("%s took %v after the last renewal of %s; the bound is %v", second.Name, gap, first.Name, params.LongestGapFresh(params.RequestTimeout))
}
