package mirror

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestHost does on a fresh cluster what docs/kubernetes.md has people do for an agent on a host: it may do what it needs to, as a
// service account that may do nothing else.
func TestHost(t *testing.T) {
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## On a host\n")
	_, block, _ := strings.Cut(section, "\n```\n")
	script, _, found := strings.Cut(block, "\n```\n")
	if !found {
		t.Fatal("docs/kubernetes.md does not say how an agent on a host gets its kubeconfig")
	}

	plane := controlplane.Start(t, 1, controlplane.Options{ControllerManager: true, CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})[0]
	witness := t.TempDir()
	group := daemon.NewGroupOn(t, daemon.Build(t, true), daemon.DefaultTimes("fsn", "hel"), nil, func(*daemon.Region) string {
		return fmt.Sprintf("{type: file, staleness: 0s, file: {dir: %q}}", witness)
	})
	fsn := group.Regions[0]
	kubeconfig := fsn.Path("kubeconfig")
	fsn.Configure(t, "  httproute: {selector: failover=e2e}\n", fmt.Sprintf("kubernetes: {kubeconfig: %q}\n", kubeconfig))

	client, err := controlplane.Binary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	program := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\" --config %s\n", group.Binaries.Daemon, fsn.ConfigFile())
	if err := os.WriteFile(filepath.Join(bin, "failoverd"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "/bin/sh", "-eu", "-c", strings.ReplaceAll(script, "/etc/failoverd/kubeconfig", kubeconfig))
	shell.Env = append(os.Environ(), "PATH="+bin+":"+filepath.Dir(client)+":"+os.Getenv("PATH"), "KUBECONFIG="+plane.Kubeconfig)
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\nof:\n%s", err, out, script)
	}
	if info, err := os.Stat(kubeconfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the kubeconfig: %v, %v; want it for its user alone", info, err)
	}
	if who := kubectl(t, plane, "", "--kubeconfig", kubeconfig, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); who != "system:serviceaccount:failoverd:failoverd" {
		t.Errorf("the agent comes as %s", who)
	}

	var out string
	daemon.Await(t, "the agent is allowed what it does", func() bool { // the API server takes a moment to learn of a role
		_, _, out = fsn.CheckLive(t, fsn.ConfigFile())
		return strings.Contains(out, `"got": "it is allowed"`) && strings.Contains(out, "and it is allowed what it needs")
	}, func() string { return out })
}
