package config_test

import (
	"encoding/pem"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

// load returns the configuration of a valid file.
func load(t *testing.T, name string) *config.Config {
	t.Helper()
	c, err := config.Load("testdata/valid/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// made returns a configuration that a program made, with no file behind it.
func made(t *testing.T) *config.Config {
	t.Helper()
	c := config.Default(config.WitnessFile)
	c.Group, c.Region, c.Members = "demo", "a", []lease.Region{"a", "b"}
	c.Witness.File = &config.FileWitness{Dir: t.TempDir()}
	c.Identity.PrivateKeyFile = "/nowhere"
	c.Identity.PublicKeys = map[lease.Region]string{}
	for _, r := range c.Members {
		_, public, err := config.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		c.Identity.PublicKeys[r] = public
	}
	return c
}

// TestValidateMade checks a Config that a program made and changes.
func TestValidateMade(t *testing.T) {
	c := made(t)
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"ttl", func(c *config.Config) { c.Lease.TTL = 0 }, "configuration: lease.ttl: found 0s, want more than 0"},
		{"overflow", func(c *config.Config) { c.Lease.RenewInterval = math.MaxInt64 }, "configuration: lease.renew_interval: found"},
		{"group", func(c *config.Config) { c.Group = "" }, "configuration: group: missing"},
		{"members", func(c *config.Config) { c.Members = nil }, "configuration: members: missing"},
		{"witness", func(c *config.Config) { c.Witness.File = nil }, "configuration: witness.file: missing"},
		{"level", func(c *config.Config) { c.Log.Level = "loud" }, "configuration: log.level: found \"loud\""},
		{"socket", func(c *config.Config) { c.API.Socket = "" }, "configuration: api.socket: missing"},
		{"quorum", func(c *config.Config) { c.Quorum = &config.Quorum{} }, "configuration: quorum.zone: missing"},
		{"resolvers", func(c *config.Config) { c.Quorum = &config.Quorum{} }, "configuration: quorum.resolvers: missing"},
		{"one answer", func(c *config.Config) {
			c.Quorum = config.DefaultQuorum("quorum.test")
			c.Quorum.Required = 1
		}, "configuration: quorum.required: 2 * quorum.required > the number of quorum.resolvers does not hold: 2 * 1 <= 3"},
		{"key", func(c *config.Config) { delete(c.Identity.PublicKeys, "b") }, "configuration: identity.public_keys.b: missing"},
	} {
		c := made(t)
		tt.change(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// TestValidateTwice changes a Config that was read, as a flag of the command
// line may, and expects the line of the key that is now wrong.
func TestValidateTwice(t *testing.T) {
	c := load(t, "full")
	c.Lease.FenceTimeout = config.Duration(time.Hour)
	for range 2 {
		err := c.Validate()
		if err == nil || !strings.Contains(err.Error(), "testdata/valid/full.yaml:23:18: lease.fence_timeout: ") {
			t.Fatalf("got %v, want line 23", err)
		}
	}
}

func TestParams(t *testing.T) {
	c := load(t, "full")
	p := c.Params()
	if p.Group != "rtz-prod" || p.Region != "hz-fsn-rtz-prod" || len(p.Members) != 2 || p.TTL != 30*time.Second ||
		p.RenewInterval != 10*time.Second || p.RetryInterval != 2*time.Second || p.PollInterval != 2*time.Second ||
		p.RequestTimeout != 5*time.Second || p.FenceTimeout != 10*time.Second || p.MaxClockDrift != 0.002 || p.Staleness != time.Minute {
		t.Errorf("got %+v, want the values of the file", p)
	}
	if got, want := p.Keys["hz-fsn-rtz-prod"], "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="; got != want {
		t.Errorf("key: got %q, want %q", got, want)
	}
	p.Members[0], p.Keys["x"] = "changed", "y"
	if c.Members[0] == "changed" || c.Identity.PublicKeys["x"] != "" {
		t.Error("Params shares its members or keys with the Config")
	}
	if got := c.PublicKeys()["hz-hel-rtz-prod"]; len(got) != 32 || got[0] != 32 {
		t.Errorf("public key: got %x, want the 32 bytes from 0x20 on", got)
	}
}

func TestRequestsPer5m(t *testing.T) {
	for _, tt := range []struct {
		members     int
		poll, renew time.Duration
		want        int
	}{
		{2, 2 * time.Second, 10 * time.Second, 390},  // 300 polls, 60 reads and 30 writes of the holder
		{3, 2 * time.Second, 10 * time.Second, 1020}, // 900 + 90 + 30
		{4, 2 * time.Second, 10 * time.Second, 1950}, // 1800 + 120 + 30
		{2, time.Second, 7 * time.Second, 600 + 129}, // 128.6 is rounded up
		{2, 0, 10 * time.Second, math.MaxInt},        // senseless, refused elsewhere
		{2, time.Second, 0, math.MaxInt},             // likewise
		{9999, 1, time.Second, math.MaxInt32},        // no overflow
	} {
		p := lease.Params{Members: make([]lease.Region, tt.members), PollInterval: tt.poll, RenewInterval: tt.renew}
		if got := config.RequestsPer5m(p); got != tt.want {
			t.Errorf("%d regions, poll %v, renew %v: got %d, want %d", tt.members, tt.poll, tt.renew, got, tt.want)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*config.Config)
		want   string // the beginning of the only warning; empty for none
	}{
		{"none", func(*config.Config) {}, ""},
		{"no layers", func(c *config.Config) { c.Layers = config.Layers{} }, "layers: none: the daemon decides but applies nothing"},
		{"IPv6 loopback", func(c *config.Config) { c.API.Listen = "[::1]:9713" }, ""},
		{"localhost", func(c *config.Config) { c.API.Listen = "localhost:9713" }, ""},
		{"all addresses", func(c *config.Config) { c.API.Listen = ":9713" }, "api.listen: :9713 is not a loopback address"},
		{"other address", func(c *config.Config) { c.API.Listen = "10.0.0.1:9713" }, "api.listen: 10.0.0.1:9713 is not"},
		{"any port", func(c *config.Config) { c.API.Listen = "127.0.0.1:0" }, "api.listen: port 0"},
		{"stand-in", func(c *config.Config) {
			c.Witness.CloudflareKV.BaseURL, c.Witness.Staleness = "http://127.0.0.1:1", 0
		}, "witness.staleness: 0s is safe only if"},
	} {
		c := load(t, "full")
		tt.change(c)
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		got := c.Warnings()
		if tt.want == "" && len(got) > 0 || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tt.want)) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	program, plain := filepath.Join(dir, "program"), filepath.Join(dir, "plain")
	for name, mode := range map[string]os.FileMode{program: 0o755, plain: 0o644} {
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	c := made(t)
	c.Layers.Hooks = []config.Hook{{Name: "edge", Activate: []string{program}, Fence: []string{program, "down"}}}
	if err := c.CheckFiles(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	for _, tt := range []struct{ program, dir, want string }{
		{plain, dir, "layers.hooks[0].fence[0]: " + plain + " is not an executable file"},
		{dir, dir, "layers.hooks[0].fence[0]: " + dir + " is not an executable file"},
		{program + "x", dir, "layers.hooks[0].fence[0]: stat " + program + "x: no such file"},
		{program, dir + "x", "witness.file.dir: stat " + dir + "x: no such file"},
		{program, plain, "witness.file.dir: " + plain + " is not a directory"},
	} {
		c.Layers.Hooks[0].Fence[0], c.Witness.File.Dir = tt.program, tt.dir
		if err := c.CheckFiles(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// TestCheckAuthorities gives each receiver of notifications a file of certificates that is none.
func TestCheckAuthorities(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	good, plain, huge := filepath.Join(dir, "good"), filepath.Join(dir, "plain"), filepath.Join(dir, "huge")
	for name, data := range map[string][]byte{
		good:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
		plain: []byte("no certificate"), huge: make([]byte, 2<<20),
	} {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ file, want string }{
		{good, ""}, {"", ""},
		{plain, plain + " holds no certificate"},
		{huge, "larger than 1 MiB"},
		{dir + "/none", "no such file"},
		{dir, "is a directory"},
	} {
		c := made(t)
		c.Notifications = &config.Notifications{
			Alertmanager: &config.Alertmanager{URLs: []string{"https://a:9093"}, CAFile: tt.file},
			Webhooks:     []config.Webhook{{Name: "hook", URL: "https://h", SecretFile: "/s", CAFile: tt.file}},
		}
		err := c.CheckFiles()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: got %v, want no error", tt.file, err)
			}
			continue
		}
		for _, key := range []string{"notifications.alertmanager.ca_file: ", "notifications.webhooks[0].ca_file: "} {
			if err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %s%s", tt.file, err, key, tt.want)
			}
		}
	}
}
