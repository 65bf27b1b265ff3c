package config_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// TestQuorumOptional reads a file with no such section, one with the least that
// it needs, and one in which all is said.
func TestQuorumOptional(t *testing.T) {
	if got := load(t, "minimal-kv").Quorum; got != nil {
		t.Errorf("without the section: got %+v, want nil", got)
	}
	data, err := os.ReadFile("testdata/valid/minimal-kv.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("least", append(data, "\nquorum: {zone: a.test}\n"...))
	if err != nil {
		t.Fatal(err)
	}
	if want := config.DefaultQuorum("a.test"); !reflect.DeepEqual(c.Quorum, want) {
		t.Errorf("zone alone: got %+v, want %+v", c.Quorum, want)
	}
	c = load(t, "quorum")
	want := &config.Quorum{
		Zone: "failover.example.com", Listen: "[2001:db8::1]:53",
		Resolvers: []string{"8.8.8.8:53", "1.1.1.1:53", "9.9.9.9:53", "[2001:4860:4860::8888]:53", "[2620:fe::fe]:53"},
		Required:  3, Timeout: 1500e6,
	}
	if !reflect.DeepEqual(c.Quorum, want) || c.API.Socket != "/run/failoverd-rtz/failoverd.sock" {
		t.Errorf("got %+v and %+v, want %+v", c.Quorum, c.API, want)
	}
}

// TestDefaultQuorumIsNew: a program that changes its section changes nobody else's.
func TestDefaultQuorumIsNew(t *testing.T) {
	config.DefaultQuorum("a.test").Resolvers[0] = "changed"
	if got := config.DefaultQuorum("a.test").Resolvers[0]; got != "8.8.8.8:53" {
		t.Errorf("got %s, want 8.8.8.8:53", got)
	}
}

// TestMajority tries every number of resolvers with every number required, and
// expects that what Validate takes is what quorum.Count can count.
func TestMajority(t *testing.T) {
	for n := 1; n <= 7; n++ {
		for required := -1; required <= 8; required++ {
			c := made(t)
			c.Quorum = config.DefaultQuorum("quorum.test")
			c.Quorum.Required, c.Quorum.Resolvers = required, nil
			for i := range n {
				c.Quorum.Resolvers = append(c.Quorum.Resolvers, fmt.Sprintf("192.0.%d.1:53", i))
			}
			counts := func() (ok bool) {
				defer func() { ok = recover() == nil }()
				quorum.Count(required, make([]quorum.Ballot, n))
				return
			}()
			err := c.Validate()
			if got, want := err == nil, counts && required <= n; got != want {
				t.Errorf("%d of %d: got %v, want valid %v", required, n, err, want)
			}
			c.Warnings()
		}
	}
}

// TestQuorumLimits holds the longest of everything, and one more.
func TestQuorumLimits(t *testing.T) {
	c := made(t)
	room := 253 - quorum.NameLength(c.Group, c.Members, "")
	labels := strings.Repeat("a.", room) // more than enough
	for _, tt := range []struct {
		what   string
		change func(*config.Config)
		want   string // a part of the only problem; empty for none
	}{
		{"longest zone", func(c *config.Config) { c.Quorum.Zone = strings.TrimSuffix("b"+labels[len(labels)-(room-1)/2*2:], ".") }, ""},
		{"zone too long", func(c *config.Config) { c.Quorum.Zone = labels[:room/2*2] + "abc" }, "quorum.zone: the names of questions"},
		{"longest label", func(c *config.Config) { c.Quorum.Zone = strings.Repeat("a", 63) }, ""},
		{"label too long", func(c *config.Config) { c.Quorum.Zone = strings.Repeat("a", 64) }, "quorum.zone: found"},
		{"empty label", func(c *config.Config) { c.Quorum.Zone = "a..b" }, "quorum.zone: found"},
		{"the root", func(c *config.Config) { c.Quorum.Zone = "." }, "quorum.zone: found"},
		{"digits inside", func(c *config.Config) { c.Quorum.Zone = "1.10.example" }, ""},
		{"highest port", func(c *config.Config) { c.Quorum.Listen = "127.0.0.1:65535" }, ""},
		{"lowest port", func(c *config.Config) { c.Quorum.Listen = "[::]:1" }, ""},
		{"port with a name", func(c *config.Config) { c.Quorum.Listen = ":domain" }, "quorum.listen: found"},
		{"resolvers on loopback", func(c *config.Config) {
			c.Quorum.Resolvers = []string{"127.0.0.1:5301", "127.0.0.1:5302", "127.0.0.1:5303"}
		}, ""},
		{"link-local resolver", func(c *config.Config) { c.Quorum.Resolvers[0] = "[fe80::1%eth0]:53" }, "quorum.resolvers[0]: found"},
		{"multicast resolver", func(c *config.Config) { c.Quorum.Resolvers[1] = "224.0.0.251:5353" }, "quorum.resolvers[1]: found"},
		{"address in two spellings", func(c *config.Config) {
			c.Quorum.Resolvers = []string{"[2620:fe::fe]:53", "[2620:fe:0::fe]:53", "1.1.1.1:53"}
		}, "quorum.resolvers[1]: found \"[2620:fe:0::fe]:53\", which is resolver 1 too"},
		{"longest timeout", func(c *config.Config) { c.Quorum.Timeout = c.Lease.RequestTimeout }, ""},
		{"timeout too long", func(c *config.Config) { c.Quorum.Timeout = c.Lease.RequestTimeout + 1 }, "quorum.timeout <= lease.request_timeout does not hold"},
		{"many required", func(c *config.Config) { c.Quorum.Required = 1 << 62 }, "quorum.required <= the number"},
		{"longest socket", func(c *config.Config) { c.API.Socket = "/" + strings.Repeat("s", 106) }, ""},
		{"socket too long", func(c *config.Config) { c.API.Socket = "/" + strings.Repeat("s", 107) }, "api.socket: found a path of 108 bytes"},
		{"socket is the root", func(c *config.Config) { c.API.Socket = "/" }, "api.socket: found"},
		{"control character", func(c *config.Config) { c.API.Socket = "/run/\x01" }, "api.socket: found"},
	} {
		c := made(t)
		c.Quorum = config.DefaultQuorum("quorum.test")
		tt.change(c)
		err := c.Validate()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: got %v, want %q", tt.what, err, tt.want)
		}
	}
}

// TestQuorumNamesOfBadMembers: where the members are wrong, how long names are
// is nobody's question.
func TestQuorumNamesOfBadMembers(t *testing.T) {
	c := made(t)
	c.Quorum = config.DefaultQuorum("quorum.test")
	c.Members = append(c.Members, lease.Region(strings.Repeat("x", 300)))
	if err := c.Validate(); err == nil || strings.Contains(err.Error(), "quorum") {
		t.Errorf("got %v, want nothing of the quorum", err)
	}
}

func TestQuorumWarnings(t *testing.T) {
	for _, tt := range []struct {
		resolvers []string
		want      []string // how each warning begins
	}{
		{[]string{"8.8.8.8:53", "1.1.1.1:53", "9.9.9.9:53"}, nil},
		{[]string{"192.0.2.1:53", "192.0.2.2:53", "192.0.3.1:53"}, nil},
		{[]string{"192.0.2.1:53", "192.0.2.2:53", "192.0.2.255:53"}, []string{"quorum.resolvers: all are in one network, 192.0.2.0/24: "}},
		{[]string{"127.0.0.1:5301", "127.0.0.1:5302", "[::ffff:127.0.0.1]:5303"}, []string{"quorum.resolvers: all are in one network, 127.0.0.0/24: "}},
		{[]string{"[2620:fe::fe]:53", "[2620:fe::9]:53", "[2620:fe::10]:53"}, []string{"quorum.resolvers: all are in one network, 2620:fe::/48: "}},
		{[]string{"[2620:fe::fe]:53", "[2620:fe::9]:53", "9.9.9.9:53"}, nil},
		{[]string{"8.8.8.8:53", "1.1.1.1:53"}, []string{"quorum.resolvers: fewer than 3 (2)"}},
		{[]string{"8.8.8.8:53", "8.8.8.4:53"}, []string{"quorum.resolvers: fewer than 3 (2)", "quorum.resolvers: all are in one network"}},
		{[]string{"8.8.8.8:53"}, []string{"quorum.resolvers: fewer than 3 (1)"}},
	} {
		c := load(t, "full")
		c.Quorum.Resolvers, c.Quorum.Required = tt.resolvers, len(tt.resolvers)/2+1
		if err := c.Validate(); err != nil {
			t.Errorf("%v: %v", tt.resolvers, err)
		}
		got := c.Warnings()
		ok := len(got) == len(tt.want)
		for i := range min(len(got), len(tt.want)) {
			ok = ok && strings.HasPrefix(got[i], tt.want[i])
		}
		if !ok {
			t.Errorf("%v: got %q, want %q", tt.resolvers, got, tt.want)
		}
	}
}
