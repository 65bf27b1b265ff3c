package config_test

import (
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/config"
)

func TestReloadDiff(t *testing.T) {
	for _, tt := range []struct {
		name          string
		change        func(*config.Config)
		live, restart []string
	}{
		{"nothing", func(*config.Config) {}, nil, nil},
		{"log level", func(c *config.Config) { c.Log.Level = "debug" }, []string{"log.level"}, nil},
		{"a hook's argument", func(c *config.Config) { c.Layers.Hooks[0].Fence[1] = "off" }, nil, []string{"layers.hooks"}},
		{"no hooks", func(c *config.Config) { c.Layers.Hooks = nil }, nil, []string{"layers.hooks"}},
		{"log format", func(c *config.Config) { c.Log.Format = "json" }, nil, []string{"log.format"}},
		{"ttl and level", func(c *config.Config) { c.Lease.TTL = config.Duration(time.Minute); c.Log.Level = "warn" }, []string{"log.level"}, []string{"lease.ttl"}},
		{"poll interval", func(c *config.Config) { c.Lease.PollInterval++ }, nil, []string{"lease.poll_interval"}},
		{"order of members", func(c *config.Config) { slices.Reverse(c.Members) }, nil, []string{"members"}},
		{"public key", func(c *config.Config) { c.Identity.PublicKeys[c.Region] = "x" }, nil, []string{"identity.public_keys"}},
		{"token file", func(c *config.Config) { c.Witness.CloudflareKV.APITokenFile = "/x" }, nil, []string{"witness.cloudflare_kv.api_token_file"}},
		{"socket", func(c *config.Config) { c.API.Socket = "/x" }, nil, []string{"api.socket"}},
		{"resolvers", func(c *config.Config) { c.Quorum.Resolvers[2] = "9.9.9.10:53" }, nil, []string{"quorum.resolvers"}},
		{"quorum", func(c *config.Config) {
			c.Quorum = &config.Quorum{Zone: "x", Listen: "x", Resolvers: []string{"x"}, Required: 1, Timeout: 1}
		}, nil, []string{"quorum.zone", "quorum.listen", "quorum.resolvers", "quorum.required", "quorum.timeout"}},
		{"no quorum", func(c *config.Config) { c.Quorum = nil }, nil, []string{"quorum.zone", "quorum.listen", "quorum.resolvers", "quorum.required", "quorum.timeout"}},
		{"witness", func(c *config.Config) {
			c.Witness.CloudflareKV, c.Witness.File = nil, &config.FileWitness{Dir: "/x"}
		}, nil, []string{"witness.file.dir", "witness.cloudflare_kv.account_id", "witness.cloudflare_kv.namespace_id", "witness.cloudflare_kv.api_token_file", "witness.cloudflare_kv.base_url"}},
	} {
		old, changed := load(t, "full"), load(t, "full")
		tt.change(changed)
		live, restart := config.ReloadDiff(old, changed)
		if !slices.Equal(live, tt.live) || !slices.Equal(restart, tt.restart) {
			t.Errorf("%s: got %v and %v, want %v and %v", tt.name, live, restart, tt.live, tt.restart)
		}
	}
}

// TestReloadDiffNoList checks that no list and an empty one are the same.
func TestReloadDiffNoList(t *testing.T) {
	old, changed := load(t, "minimal-kv"), load(t, "minimal-kv")
	changed.Layers.Hooks = []config.Hook{}
	if live, restart := config.ReloadDiff(old, changed); len(live)+len(restart) > 0 {
		t.Errorf("got %v and %v, want none", live, restart)
	}
}
