package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease"
)

// GroupName is the name of every group that this package makes.
const GroupName = "e2e"

// startTimeout is far above what a start takes: the race detector, and two busy cores.
const startTimeout = 60 * time.Second

// DefaultTimes are those of the daemon, on a store that is never stale.
func DefaultTimes(members ...lease.Region) lease.Params {
	return lease.Params{
		Members: members,
		TTL:     30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
		RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002,
	}
}

// ShortTimes have what follows from a fault come within seconds. They have room for a machine that is busy with other tests, and stands
// still for seconds.
func ShortTimes(members ...lease.Region) lease.Params {
	return lease.Params{
		Members: members,
		TTL:     10 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond, PollInterval: 250 * time.Millisecond,
		RequestTimeout: 3 * time.Second, FenceTimeout: 2 * time.Second, MaxClockDrift: 0.002,
	}
}

// A Group is the regions of one failover group, each on this machine, with its own way to one witness.
type Group struct {
	Binaries Binaries
	Server   *kvserver.Server // nil on another witness
	Params   lease.Params     // of every region; its Region is empty
	Quorum   *Quorum          // nil for none
	Regions  []*Region        // in the order of the members

	tb      testing.TB
	witness func(*Region) string
}

// A Quorum is the section quorum of every region.
type Quorum struct {
	Zone      string
	Listen    map[lease.Region]string   // where each is asked
	Resolvers map[lease.Region][]string // whom each asks
	Timeout   time.Duration
}

// NewGroup writes what each region needs to disk: key, token, configuration. Nothing runs yet. Of params only Members
// and the times count; quorum is nil for none.
func NewGroup(tb testing.TB, binaries Binaries, params lease.Params, quorum *Quorum) *Group {
	tb.Helper()
	srv := kvserver.Start(tb)
	g := newGroup(tb, binaries, params, quorum, func(r *Region) string {
		return fmt.Sprintf("{type: cloudflare-kv, staleness: %v, cloudflare_kv: {account_id: %s, namespace_id: %s, api_token_file: %q, base_url: %q}} # local KV is strongly consistent",
			r.group.Params.Staleness, srv.AccountID, srv.NamespaceID, r.Path("token"), r.Link.BaseURL)
	})
	g.Server = srv
	for _, r := range g.Regions {
		r.Link = srv.Link(string(r.Name))
		r.write(tb, "token", srv.Token+"\n")
		r.write(tb, "failoverd.yaml", r.YAML())
	}
	return g
}

// NewGroupOn is as NewGroup, on another witness: its section of a region's configuration, as a YAML mapping on one line,
// or a list of those of several.
func NewGroupOn(tb testing.TB, binaries Binaries, params lease.Params, quorum *Quorum, witness func(*Region) string) *Group {
	tb.Helper()
	g := newGroup(tb, binaries, params, quorum, witness)
	for _, r := range g.Regions {
		r.write(tb, "failoverd.yaml", r.YAML())
	}
	return g
}

func newGroup(tb testing.TB, binaries Binaries, params lease.Params, quorum *Quorum, witness func(*Region) string) *Group {
	tb.Helper()
	g := &Group{Binaries: binaries, Params: params, Quorum: quorum, tb: tb, witness: witness}
	g.Params.Group, g.Params.Keys = GroupName, map[lease.Region]string{}
	for _, name := range params.Members {
		r := &Region{Name: name, Dir: tb.TempDir(), group: g, listen: "127.0.0.1:0"}
		g.Regions = append(g.Regions, r)
		g.Params.Keys[name] = r.makeKey(tb)
	}
	tb.Cleanup(func() {
		for _, r := range g.Regions {
			r.cleanUp(tb)
		}
	})
	return g
}

// A Region is one member, with its files: all below Dir.
type Region struct {
	Name lease.Region
	Dir  string
	Link *kvserver.Link // its way to the witness, and nobody else's; nil on another witness

	group    *Group
	instance string   // its name; empty: the region has one
	before   []string // words before those of the daemon's command line
	listen   string   // of the API, host:port
	layers   string   // of the section layers, beside the hook
	sections string   // at the end of the file
	runs     []*Process
	address  string // of the API, once it is known
}

// Path is the path of one of the region's files.
func (r *Region) Path(name string) string { return filepath.Join(r.Dir, name) }

// ConfigFile, StateDir, KeyFile and LayerFile are where the configuration says.
func (r *Region) ConfigFile() string { return r.Path("failoverd.yaml") }
func (r *Region) StateDir() string   { return r.Path("state") }
func (r *Region) KeyFile() string    { return r.Path("region.key") }
func (r *Region) LayerFile() string  { return r.Path("layer.log") }

func (r *Region) write(tb testing.TB, name, content string) {
	tb.Helper()
	if err := os.WriteFile(r.Path(name), []byte(content), 0o600); err != nil {
		tb.Fatalf("daemon: %v", err)
	}
}

// makeKey has the daemon make the region's key, and returns the public one.
func (r *Region) makeKey(tb testing.TB) string {
	tb.Helper()
	p, err := StartProcess(r.group.Binaries.Daemon, "keygen", "--out", r.KeyFile())
	if err != nil {
		tb.Fatalf("daemon: %v", err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	code, err := p.Wait(ctx)
	stdout, stderr := p.Output()
	if err != nil || code != 0 {
		tb.Fatalf("daemon: keygen: exit code %d, %v\n%s", code, err, stderr)
	}
	return strings.TrimSpace(stdout)
}

// Configure adds to the region's configuration, before its first start: to the section layers, whose lines begin with two
// spaces, and whole sections.
func (r *Region) Configure(tb testing.TB, layers, sections string) {
	tb.Helper()
	r.layers, r.sections = layers, sections
	r.write(tb, "failoverd.yaml", r.YAML())
}

// Place has the daemon run elsewhere from its next start on: by a command that ends in executing what follows it, such as
// nsenter's, with its API at an address, host:port.
func (r *Region) Place(tb testing.TB, listen string, by ...string) {
	tb.Helper()
	r.listen, r.address, r.before = listen, listen, by
	r.write(tb, "failoverd.yaml", r.YAML())
}

// Instance is another instance of the region, configured as it is now, with files of its own. Those that are made for a
// region, and the region's own one, bear names only if the configuration has instances.
func (r *Region) Instance(tb testing.TB, name string) *Region {
	tb.Helper()
	i := &Region{Name: r.Name, Dir: tb.TempDir(), Link: r.Link, group: r.group, instance: name, listen: r.listen}
	for _, file := range []string{"token", "region.key"} {
		content, err := os.ReadFile(r.Path(file))
		if err != nil {
			tb.Fatalf("daemon: %v", err)
		}
		i.write(tb, file, string(content))
	}
	i.Configure(tb, r.layers, r.sections)
	tb.Cleanup(func() { i.cleanUp(tb) })
	return i
}

// YAML is the region's configuration.
func (r *Region) YAML() string {
	p := r.group.Params
	var keys strings.Builder
	for _, m := range p.Members {
		fmt.Fprintf(&keys, "\n    %s: %q", m, p.Keys[m])
	}
	var members []string
	for _, m := range p.Members {
		members = append(members, string(m))
	}
	section, witness := "witness", r.group.witness(r)
	if strings.HasPrefix(witness, "[") {
		section = "witnesses"
	}
	return fmt.Sprintf(`group: %s
region: %s
members: [%s]
lease:
  ttl: %v
  renew_interval: %v
  retry_interval: %v
  poll_interval: %v
  request_timeout: %v
  fence_timeout: %v
  max_clock_drift: %g%%
%s: %s
identity:
  private_key_file: %s
  public_keys:%s
layers:
  hooks:
    - name: file
      activate: [%[15]q, %[16]q]
      fence: [%[15]q, %[16]q]
%[20]s%[18]sapi: {listen: %[22]q, socket: %[19]q}
state_dir: %[17]s
log: {level: debug, format: text}
%[21]s`, p.Group, r.Name, strings.Join(members, ", "),
		p.TTL, p.RenewInterval, p.RetryInterval, p.PollInterval, p.RequestTimeout, p.FenceTimeout, 100*p.MaxClockDrift,
		section, witness, r.KeyFile(), keys.String(),
		r.group.Binaries.Layer, r.LayerFile(), r.StateDir(), r.quorum(), r.Path("socket"), r.layers, r.sections, r.listen)
}

// quorum is the section quorum, empty without one.
func (r *Region) quorum() string {
	q := r.group.Quorum
	if q == nil {
		return ""
	}
	return fmt.Sprintf("quorum: {zone: %s, listen: %q, resolvers: [%s], timeout: %v}\n",
		q.Zone, q.Listen[r.Name], `"`+strings.Join(q.Resolvers[r.Name], `", "`)+`"`, q.Timeout)
}

// Start starts the region's daemon and returns when its API answers. There must not be one that runs.
func (r *Region) Start(tb testing.TB) *Process {
	tb.Helper()
	argv := append(slices.Clone(r.before), r.group.Binaries.Daemon, "run", "--config", r.ConfigFile())
	if r.instance != "" {
		argv = append(argv, "--instance", r.instance)
	}
	p, err := StartProcess(argv...)
	if err != nil {
		tb.Fatalf("daemon: start %s: %v", r.Name, err)
	}
	r.runs = append(r.runs, p)
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	if r.address, err = p.WaitReady(ctx); err != nil {
		tb.Fatalf("daemon: start %s: %v", r.Name, err)
	}
	return p
}

// Address is where the API of the last run is, or where Place has it be, host:port.
func (r *Region) Address() string { return r.address }

// CLI runs a command of the daemon's binary with the region's configuration, and returns its exit code and all that it wrote.
func (r *Region) CLI(ctx context.Context, args ...string) (code int, output string, err error) {
	p, err := StartProcess(append([]string{r.group.Binaries.Daemon}, append(args, "--config", r.ConfigFile())...)...)
	if err != nil {
		return 0, "", err
	}
	code, err = p.Wait(ctx)
	if err != nil {
		err = errors.Join(err, p.Kill())
	}
	stdout, stderr := p.Output()
	return code, stdout + stderr, err
}

// Process is the last run of the region's daemon.
func (r *Region) Process() *Process { return r.runs[len(r.runs)-1] }

// Runs are all runs, the first one first.
func (r *Region) Runs() []*Process { return r.runs }

// cleanUp kills what still runs, and shows what was said if the test failed.
func (r *Region) cleanUp(tb testing.TB) {
	for i, p := range r.runs {
		p.CleanUp(tb, fmt.Sprintf("run %d of %s", i+1, r.Name))
	}
	if tb.Failed() {
		layer, _ := os.ReadFile(r.LayerFile()) // it may not have come to that
		tb.Logf("daemon: layer of %s:\n%s", r.Name, layer)
	}
}
