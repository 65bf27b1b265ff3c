package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Public reports whether kv is on Cloudflare's public API, whose limits and
// staleness then hold; otherwise base_url names something that speaks as the
// API does.
func (kv *CloudflareKV) Public() bool {
	u, err := url.Parse(kv.BaseURL)
	return kv.BaseURL == "" || err == nil && strings.EqualFold(u.Hostname(), "api.cloudflare.com")
}

// publicKV reports whether the witness is Workers KV on the public API.
func (c *Config) publicKV() bool {
	return c.Witness.Type == WitnessCloudflareKV && (c.Witness.CloudflareKV == nil || c.Witness.CloudflareKV.Public())
}

var (
	prefixSyntax = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)
	idSyntax     = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// witness checks the store, and that exactly its own section is there.
func (v *validator) witness() {
	w := v.c.Witness
	v.choice("witness.type", w.Type, []string{WitnessCloudflareKV, WitnessFile})
	v.text("witness.prefix", w.Prefix, func(s string) bool { return len(s) <= 128 && prefixSyntax.MatchString(s) })
	for _, s := range []struct {
		witness, section string
		there            bool
	}{
		{WitnessCloudflareKV, "witness.cloudflare_kv", w.CloudflareKV != nil},
		{WitnessFile, "witness.file", w.File != nil},
	} {
		if v.refused("witness.type") {
			break
		}
		if s.witness == w.Type {
			v.must(s.there, s.section, "missing, expected %s, since witness.type is %s", want(s.section), w.Type)
		} else {
			v.must(!s.there, s.section, "this section has no effect, since witness.type is %s; remove it, or set witness.type to %s", w.Type, s.witness)
		}
	}
	if f := w.File; f != nil {
		v.text("witness.file.dir", f.Dir, isAbs)
	}
	if kv := w.CloudflareKV; kv != nil {
		v.baseURL(kv.BaseURL)
		// A stand-in for the API names its namespaces as it likes.
		ok := func(s string) bool {
			return s != "" && len(s) <= 128 && isPlain(s) && !strings.Contains(s, " ") && (!kv.Public() || idSyntax.MatchString(s))
		}
		v.text("witness.cloudflare_kv.account_id", kv.AccountID, ok)
		v.text("witness.cloudflare_kv.namespace_id", kv.NamespaceID, ok)
		v.text("witness.cloudflare_kv.api_token_file", kv.APITokenFile, isAbs)
	}
}

// baseURL checks the address that the token is sent to.
func (v *validator) baseURL(s string) {
	if s == "" {
		return
	}
	const at = "witness.cloudflare_kv.base_url"
	u, err := url.Parse(s)
	ok := err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
	if strings.ContainsAny(s, "@?#") { // a password or a token may be in there
		v.must(ok, at, "found a URL with a user, a query or a fragment, expected %s", want(at))
		for _, p := range v.problems {
			if p.Key == at {
				p.Excerpt = v.excerpt(v.at(at), true)
			}
		}
		return
	}
	v.must(ok, at, "found %s, expected %s", quote(s), want(at))
	if ok && u.Scheme == "http" {
		v.must(isLoopback(u.Hostname()), at, "found %s, expected https: the API token would cross the network in clear", quote(s))
	}
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// cloudflareLimits applies what Cloudflare documents about Workers KV and its
// API to the times.
func (v *validator) cloudflareLimits() {
	if !v.c.publicKV() || v.refused("witness.cloudflare_kv.base_url") {
		return
	}
	p := v.c.Params()
	if p.Staleness >= 0 && p.Staleness < kvStaleness {
		v.inequality(fmt.Sprintf("witness.staleness >= %v does not hold: %v < %v; Cloudflare documents that reads of Workers KV are stale by \"60 seconds or more\", and with a smaller bound two regions could be active at once",
			Duration(kvStaleness), Duration(p.Staleness), Duration(kvStaleness)), "witness.staleness")
	}
	if p.RetryInterval > 0 && p.RetryInterval < kvWriteInterval {
		v.inequality(fmt.Sprintf("lease.retry_interval >= %v does not hold: %v < %v; Workers KV takes one write a second for a key",
			kvWriteInterval, p.RetryInterval, kvWriteInterval), "lease.retry_interval")
	}
	if p.PollInterval > 0 && p.RenewInterval > 0 && len(p.Members) >= 2 {
		if text := overBudget(p); text != "" {
			v.inequality(text, "lease.poll_interval", "lease.renew_interval", "members")
		}
	}
}

// Warnings returns what is allowed and may still not be what the user wants,
// each as a line for the log.
func (c *Config) Warnings() []string {
	var out []string
	if len(c.Layers.Hooks) == 0 && !c.Layers.NeedsCluster() {
		out = append(out, "layers: none: the daemon decides but applies nothing")
	}
	if host, port, err := net.SplitHostPort(c.API.Listen); err == nil {
		if !isLoopback(host) {
			out = append(out, fmt.Sprintf("api.listen: %s is not a loopback address: whoever reaches it can read the status page and the metrics (it takes no commands)", c.API.Listen))
		}
		if strings.Trim(port, "0") == "" {
			out = append(out, "api.listen: port 0 is another free port at each start")
		}
	}
	out = append(out, c.Quorum.warnings()...)
	if c.Health != nil && c.Quorum == nil {
		out = append(out, "health: without the section quorum a region that is degraded says so, but can't hand over")
	}
	w := c.Witness
	if w.Type == WitnessCloudflareKV && !c.publicKV() && time.Duration(w.Staleness) < kvStaleness {
		out = append(out, fmt.Sprintf("witness.staleness: %v is safe only if the store at base_url keeps to it: Workers KV itself does not keep to less than %v", w.Staleness, Duration(kvStaleness)))
	}
	return out
}
