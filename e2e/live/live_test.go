// Package live runs failoverd check --live beside real daemons, which are asked through real resolvers.
package live

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

var params = daemon.DefaultTimes("fsn", "hel")

// TestLive spoils one thing at a time, in the configuration that is checked or in the world: what is
// said of hel tells which it was, through every resolver alike.
func TestLive(t *testing.T) {
	lab := resolvers.Start(t, params.Members)
	group := daemon.NewGroup(t, daemon.Build(t, true), params, lab.Quorum(5*time.Second))
	fsn, hel := group.Regions[0], group.Regions[1]
	fsn.Start(t)
	hel.Start(t)
	fsn.Await(t, "is active", func(s daemon.Status) bool { return s.State == lease.Active && s.AllLayers("active") })

	code, findings, out := fsn.CheckLive(t, fsn.ConfigFile())
	well := len(findings) > 0
	for _, f := range findings {
		// How long the witness takes is the machine's business.
		well = well && (f.Level == "ok" || f.Asked == "witness" && f.Level == "warning")
	}
	if code != 1 || !well { // nothing ends these agents if they are frozen, which check refuses; that is the one problem
		t.Errorf("where all is well: exit code %d\n%s", code, out)
	}

	otherKey := strings.Replace(fsn.YAML(), group.Params.Keys["hel"], "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 1)
	wants(t, group, edited(t, fsn, otherKey), "the keys differ")

	elsewhere := strings.Replace(fsn.YAML(), "zone: "+resolvers.Zone, "zone: elsewhere.example.com", 1)
	wants(t, group, edited(t, fsn, elsewhere), "NXDOMAIN: there is no delegation")

	if err := hel.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	wants(t, group, fsn.ConfigFile(), "no answer") // SERVFAIL, or the resolver is still trying

	if status := fsn.Ask(t); status.State != lease.Active || status.Epoch != 1 {
		t.Errorf("after all these checks fsn is %s for epoch %d; want it active for 1 as before", status.State, status.Epoch)
	}
}

// wants runs the check, which is to fail, and to say so of hel through every resolver.
func wants(t *testing.T, group *daemon.Group, config, says string) {
	t.Helper()
	code, findings, out := group.Regions[0].CheckLive(t, config)
	said := 0
	for _, f := range findings {
		if f.Region == "hel" && f.Resolver != "" && f.Level == "problem" && strings.Contains(f.Got, says) && f.Remedy != "" {
			said++
		}
	}
	if code != 1 || said != len(group.Quorum.Resolvers["fsn"]) {
		t.Errorf("it says %q through %d of %d resolvers, and ends with %d, want 1\n%s", says, said, len(group.Quorum.Resolvers["fsn"]), code, out)
	}
}

func edited(t *testing.T, r *daemon.Region, yaml string) (path string) {
	t.Helper()
	if yaml == r.YAML() {
		t.Fatal("nothing was edited")
	}
	path = r.Path("edited.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
