package s3_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/s3"
	"github.com/openova-io/failoverd/e2e/wallclock"
	"github.com/openova-io/failoverd/lease"
	store "github.com/openova-io/failoverd/lease/witness/s3"
)

var clocks = flag.Bool("clocks", false, "TestRefused: with a wall clock that is hours off, too; everything is built anew for it, which takes minutes")

// What is not the bucket that the lease needs is refused with its reason, as failoverd check --live prints it.
func TestRefused(t *testing.T) {
	srv := s3.Start(t)
	through := func(p *proxy) string {
		p.to = srv.Config
		return p.start(t)
	}
	honest := through(&proxy{})
	ignores, ignoresToo := through(&proxy{drops: "If-Match"}), through(&proxy{drops: "If-None-Match"})
	stale := through(&proxy{staleFor: time.Second})

	var flags []string
	if *clocks {
		flags = wallclock.Overlay(t)
	}
	g := daemon.NewGroupOn(t, daemon.Build(t, !*clocks, flags...), daemon.ShortTimes("fsn", "hel"), nil, srv.Witness)
	fsn := g.Regions[0]
	for _, test := range []struct {
		name   string
		change func(*store.Config)
		got    string // empty: it is let in
		remedy string
	}{
		{"all is well", func(*store.Config) {}, "", ""},
		{"all is well through the proxy", func(c *store.Config) { c.Endpoint = honest }, "", ""},
		{"ignores If-Match", func(c *store.Config) { c.Endpoint = ignores }, "it ignores If-Match", "use a bucket of a store that is strongly consistent"},
		{"ignores If-None-Match", func(c *store.Config) { c.Endpoint = ignoresToo }, "it ignores If-None-Match", "use a bucket of a store that is strongly consistent"},
		{"stale", func(c *store.Config) { c.Endpoint = stale }, "it is stale", "two regions could be active at once"},
		{"wrong secret", func(c *store.Config) { c.SecretAccessKey = "another-secret" }, "SignatureDoesNotMatch", "witness.s3.credentials_file"},
		{"wrong access key", func(c *store.Config) { c.AccessKeyID = "another-key" }, "XAdminUserNotFound", "witness.s3.credentials_file"},
		{"wrong region", func(c *store.Config) { c.Region = "eu-central-7" }, "AuthorizationHeaderMalformed", "witness.s3.region"},
		{"wrong bucket", func(c *store.Config) { c.Bucket = "elsewhere" }, "NoSuchBucket", "witness.s3.bucket"},
		{"nothing there", func(c *store.Config) { c.Endpoint = "http://127.0.0.1:1" }, "unreachable", "can be reached from here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := srv.Config
			right := s3.Section(t, fsn, cfg)
			test.change(&cfg)
			changed := strings.Replace(fsn.YAML(), right, s3.Section(t, fsn, cfg), 1)
			config := fsn.Path("edited.yaml")
			if err := os.WriteFile(config, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			_, found, out := fsn.CheckLive(t, config)
			said := daemon.WitnessProblems(found)
			switch {
			case test.got == "" && len(said) > 0:
				t.Errorf("the witness is a problem:\n%s", out)
			case test.got != "" && (len(said) != 1 || !strings.Contains(said[0].Got, test.got) || !strings.Contains(said[0].Remedy, test.remedy)):
				t.Errorf("check --live says %+v, want of the witness %q, and to %q\n%s", said, test.got, test.remedy, out)
			}
			if strings.Contains(out, cfg.SecretAccessKey) {
				t.Errorf("check --live tells the secret:\n%s", out)
			}
			for _, f := range said {
				t.Log(f)
			}
		})
	}
	if *clocks {
		t.Run("clock hours off", func(t *testing.T) { refusesClock(t, g) })
	}
}

// The store is killed and comes back within the TTL, and so it does after it was frozen: nobody loses or takes anything. Then the
// holder is killed: another one takes, not before the authority of the first has ended.
func TestDaemons(t *testing.T) {
	srv := s3.Start(t)
	params := daemon.DefaultTimes("fsn", "hel", "nbg")
	params.TTL, params.RenewInterval, params.RetryInterval, params.PollInterval = 15*time.Second, 3*time.Second, time.Second, time.Second
	params.RequestTimeout, params.FenceTimeout = 3*time.Second, 5*time.Second
	g := daemon.NewGroupOn(t, daemon.Build(t, true), params, nil, srv.Witness)
	for _, r := range g.Regions {
		r.Start(t)
	}
	first := daemon.Holder(t, g.Regions...)
	for _, r := range g.Regions {
		if r != first {
			r.Await(t, "is standby", func(s daemon.Status) bool { return s.State == lease.Standby })
		}
	}
	before, had := daemon.Transitions(t, g.Regions...), first.Authority(t)
	missed := func() {
		t.Helper()
		first.Await(t, "has missed a renewal", func(s daemon.Status) bool { return !s.Witness.Up })
	}
	renewed := func() {
		t.Helper()
		at := bootclock.Clock{}.Now()
		daemon.Await(t, "the holder has renewed", func() bool { return first.Authority(t).Deadline > at.Add(params.TTL) })
	}
	if err := srv.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	missed()
	srv.Restart()
	renewed()
	if err := srv.Process().Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	missed()
	if err := srv.Process().Thaw(); err != nil {
		t.Fatal(err)
	}
	renewed()
	if n, has := daemon.Transitions(t, g.Regions...), first.Authority(t); n != before || has.Epoch != had.Epoch {
		t.Errorf("%d transitions, epoch %d, want none since there were %d, and epoch %d: the witness was back within the TTL", n, has.Epoch, before, had.Epoch)
	}

	second, gap := g.Failover(t, first)
	t.Logf("%s took %v after the last renewal of %s, whose TTL is %v", second.Name, gap, first.Name, params.TTL)
}

// refusesClock has a wall clock that is hours off be refused with its reason: requests are signed with the time.
func refusesClock(t *testing.T, g *daemon.Group) {
	clock := wallclock.New(t)
	for _, test := range []struct {
		by   time.Duration
		want string // empty: it is let in
	}{
		{0, ""},
		{3 * time.Hour, "ahead of the store's"},
		{-3 * time.Hour, "behind the store's"},
	} {
		clock.Set(t, test.by)
		_, found, out := g.Regions[0].CheckLive(t, g.Regions[0].ConfigFile(), "env", clock.Env())
		said := daemon.WitnessProblems(found)
		switch {
		case test.want == "" && len(said) > 0:
			t.Errorf("%v off: the witness is a problem:\n%s", test.by, out)
		case test.want != "" && (len(said) != 1 || !strings.Contains(said[0].Got, "RequestTimeTooSkewed") ||
			!strings.Contains(said[0].Remedy, "set the wall clock of this host by NTP") || !strings.Contains(said[0].Remedy, test.want)):
			t.Errorf("%v off: check --live says %+v, want that the clock is, and %q\n%s", test.by, said, test.want, out)
		}
		for _, f := range said {
			t.Log(f)
		}
	}
}
