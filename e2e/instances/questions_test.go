package instances

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/client"
)

var questions = flag.Int("questions", 30, "TestQuestions: `how many` at each stage")

// TestQuestions asks a region that is delegated to the servers of its three instances, through real resolvers. Two of them follow,
// and answer SERVFAIL: the resolvers go on to the one that acts, whichever that is, and if another one is silent or gone.
func TestQuestions(t *testing.T) {
	params, term := times()
	lab := resolvers.StartServers(t, map[lease.Region]int{"fsn": 3, "hel": 1})
	group := daemon.NewGroup(t, daemon.Build(t, !*plain), params, lab.Quorum(params.RequestTimeout))
	plane := cluster.Planes(t)[0]
	w := &world{t: t, group: group, hel: group.Regions[1], fsn: &record{ttl: params.TTL}, namespace: plane.Namespace(t), term: term}
	group.Regions[0].Configure(t, "", w.sections(plane.Kubeconfig))
	for _, server := range lab.Servers("fsn") {
		i := group.Regions[0].Instance(t, "i")
		text := strings.Replace(i.YAML(), fmt.Sprintf("listen: %q", lab.Region("fsn")), fmt.Sprintf("listen: %q", server), 1)
		must(t, os.WriteFile(i.ConfigFile(), []byte(text), 0o600))
		w.instances = append(w.instances, i)
	}
	w.hel.Configure(t, "", "mode: manual\n") // it only answers, and never takes, however late the others are
	w.hel.Start(t)
	for _, i := range w.instances {
		i.Start(t)
	}
	acts, _ := w.acting("the start")

	stage := func(what string, asker *daemon.Region, to lease.Region) {
		t.Helper()
		a := ask(t, asker, to, lab)
		t.Logf("%s: %s", what, a.describe(lab))
		if a.reached != *questions {
			t.Errorf("%s: %d of %d questions were answered by two resolvers", what, a.reached, *questions)
		}
	}
	stage("hel, which is one server", acts, "hel")
	stage("fsn: one acts, two follow", w.hel, "fsn")

	must(t, acts.Process().Freeze(t.Context()))
	heir := w.heir(acts, "frozen")
	stage("one is frozen, one acts, one follows", w.hel, "fsn")
	must(t, acts.Process().Thaw())
	w.acting("after it was frozen")

	must(t, heir.Process().Kill())
	w.heir(heir, "killed")
	stage("one is gone, one acts, one follows", w.hel, "fsn")
}

// patience is more than the 2 s that regions have for a question: how long it takes is a figure, and no condition on a busy machine.
const patience = 10 * time.Second

// An asked is what became of questions.
type asked struct {
	reached int
	took    []time.Duration                   // until enough resolvers had brought the answer
	by      map[string]map[quorum.Outcome]int // resolver
}

// ask asks a region as another one does, once after the other.
func ask(t *testing.T, asker *daemon.Region, to lease.Region, lab *resolvers.Lab) asked {
	t.Helper()
	cfg, err := config.Load(asker.ConfigFile())
	must(t, err)
	secrets, err := cfg.LoadSecrets()
	must(t, err)
	c := client.New(client.Config{
		Zone: cfg.Quorum.Zone, Resolvers: cfg.Quorum.Resolvers, Required: cfg.Quorum.Required,
		Timeout: patience,
		Group:   cfg.Group, Region: cfg.Region, PrivateKey: secrets.PrivateKey, Keys: cfg.PublicKeys(),
	})
	out := asked{by: map[string]map[quorum.Outcome]int{}}
	for _, r := range lab.Resolvers {
		out.by[r.Address] = map[quorum.Outcome]int{}
	}
	tick := time.NewTicker(150 * time.Millisecond) // a member that asks more often is taken for a flood
	defer tick.Stop()
	for range *questions {
		<-tick.C
		all := make(chan quorum.Verdict, 1)
		begun := time.Now()
		v, err := c.Ask(t.Context(), to, lease.Question{Verb: lease.VerbStatus, Safety: lease.SafetyHash(cfg.Params().Safety())}, func(v quorum.Verdict) { all <- v })
		must(t, err)
		if v.Reached {
			out.reached++
			out.took = append(out.took, time.Since(begun))
		}
		for _, b := range (<-all).Ballots {
			out.by[b.Resolver][b.Outcome]++
		}
	}
	slices.Sort(out.took)
	return out
}

func (a asked) describe(lab *resolvers.Lab) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d of %d answered", a.reached, *questions)
	if n := len(a.took); n > 0 {
		fmt.Fprintf(&out, ", after %.3f s in the median, %.3f s at most", a.took[n/2].Seconds(), a.took[n-1].Seconds())
	}
	for _, r := range lab.Resolvers {
		fmt.Fprintf(&out, "; %s %v", r.Name, a.by[r.Address])
	}
	return out.String()
}
