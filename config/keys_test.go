package config

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

// TestEveryKeyIsDescribed walks the keys of a full Config: an error about a key
// that the table lacks would end in "expected ".
func TestEveryKeyIsDescribed(t *testing.T) {
	c := Default("")
	c.Witness.CloudflareKV, c.Witness.DurableObject, c.Witness.S3, c.Witness.Etcd, c.Witness.Kubernetes, c.Witness.File, c.Quorum = &CloudflareKV{}, &DurableObject{}, DefaultS3(), &Etcd{TLS: &EtcdTLS{}}, &KubernetesWitness{}, &FileWitness{}, DefaultQuorum("")
	for _, l := range leaves(c) {
		if want(l.path) == "" {
			t.Errorf("%s has no entry in keys", l.path)
		}
	}
	for path := range maps.Keys(keys) {
		for parts := path; strings.ContainsAny(parts, ".["); parts = parent(parts) {
			if want(parent(parts)) == "" {
				t.Errorf("%s has no entry in keys, %s has", parent(parts), path)
			}
		}
	}
}

func TestSuggest(t *testing.T) {
	siblings := []string{"ttl", "renew_interval", "retry_interval", "poll_interval", "fence_timeout"}
	for _, tt := range []struct{ parent, key, want string }{
		{"lease", "tll", "lease.ttl"},
		{"lease", "TTL", "lease.ttl"},
		{"lease", "renewInterval", "lease.renew_interval"},
		{"lease", "renew-interval", "lease.renew_interval"},
		{"lease", "fence_timout", "lease.fence_timeout"},
		{"lease", "poll", "lease.poll_interval"},
		{"lease", "staleness", "witness.staleness"},
		{"", "hooks", "layers.hooks"},
		{"lease", "colour", ""},
		{"lease", strings.Repeat("x", 10000), ""},
		{"lease", "", ""},
	} {
		if got := suggest(tt.parent, tt.key, siblings); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.key, got, tt.want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	d := newDocument("f", "a:\tb\nα: β\n"+strings.Repeat("x", 100)+"!"+strings.Repeat("y", 100)+"\nkey: value\nk: \x1b[31m")
	for _, tt := range []struct {
		at   position
		hide bool
		want string
	}{
		{position{1, 4}, false, "     1 | a:\tb\n       |   \t^"},
		{position{2, 4}, false, "     2 | α: β\n       |    ^"},
		{position{3, 101}, false, "     3 | …" + strings.Repeat("x", 60) + "!" + strings.Repeat("y", 59) + "…\n       |  " + strings.Repeat(" ", 60) + "^"},
		{position{4, 6}, true, "     4 | key: (not shown: it may be a secret)\n       |      ^"},
		{position{5, 4}, false, "     5 | k: ·[31m\n       |    ^"},
		{position{9, 1}, false, ""},
		{position{}, false, ""},
	} {
		if got := d.excerpt(tt.at, tt.hide); got != tt.want {
			t.Errorf("%v: got\n%s\nwant\n%s", tt.at, got, tt.want)
		}
	}
}

// TestSmallestPoll checks that what overBudget recommends fits, and that 100 ms
// less does not.
func TestSmallestPoll(t *testing.T) {
	c := Default(WitnessCloudflareKV)
	for n := 2; n <= 40; n++ {
		p := c.Params()
		for i := range n {
			p.Members = append(p.Members, lease.Region(fmt.Sprint("r", i)))
		}
		d := smallestPoll(p)
		if d == 0 {
			if _, renewals := requests(p); renewals < kvBudget {
				t.Errorf("%d regions: got none, want one", n)
			}
			continue
		}
		p.PollInterval = d
		if got := RequestsPer5m(p); got >= kvBudget {
			t.Errorf("%d regions: %v gives %d requests", n, d, got)
		}
		if p.PollInterval = d - 1e8; p.PollInterval > 0 && RequestsPer5m(p) < kvBudget {
			t.Errorf("%d regions: %v would do, got %v", n, p.PollInterval, d)
		}
	}
}
