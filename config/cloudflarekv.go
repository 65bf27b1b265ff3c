package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// WitnessCloudflareKV is the value of witness.type for Cloudflare Workers KV.
const WitnessCloudflareKV = "cloudflare-kv"

// CloudflareKV is a namespace of Cloudflare Workers KV.
type CloudflareKV struct {
	AccountID    string `yaml:"account_id" json:"account_id"`
	NamespaceID  string `yaml:"namespace_id" json:"namespace_id"`
	APITokenFile string `yaml:"api_token_file" json:"api_token_file"`
	BaseURL      string `yaml:"base_url" json:"base_url"` // empty: the public API
}

var cloudflareKV = store{
	witness: WitnessCloudflareKV,
	section: "cloudflare_kv",
	there:   func(w *Witness) bool { return w.CloudflareKV != nil },
	set: func(w *Witness) setter {
		return optional(&w.CloudflareKV, func(kv *CloudflareKV) setter {
			return section(
				field{"account_id", text(&kv.AccountID)},
				field{"namespace_id", text(&kv.NamespaceID)},
				field{"api_token_file", text(&kv.APITokenFile)},
				field{"base_url", text(&kv.BaseURL)},
			)
		})
	},
	check: func(v *validator, at string, w *Witness) {
		kv := w.CloudflareKV
		v.baseURL(join(at, "base_url"), kv.BaseURL, "the API token would cross the network in clear")
		// A stand-in for the API names its namespaces as it likes.
		ok := func(s string) bool {
			return s != "" && len(s) <= 128 && isPlain(s) && !strings.Contains(s, " ") && (!kv.Public() || idSyntax.MatchString(s))
		}
		v.text(join(at, "account_id"), kv.AccountID, ok)
		v.text(join(at, "namespace_id"), kv.NamespaceID, ok)
		v.text(join(at, "api_token_file"), kv.APITokenFile, isAbs)
	},
	secrets: func(v *validator, at string, w *Witness, s *WitnessSecrets) {
		s.Token = v.token(join(at, "api_token_file"), w.CloudflareKV.APITokenFile)
	},
}

var idSyntax = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Public reports whether kv is on Cloudflare's public API, whose limits and
// staleness then hold; otherwise base_url names something that speaks as the
// API does.
func (kv *CloudflareKV) Public() bool {
	u, err := url.Parse(kv.BaseURL)
	return kv.BaseURL == "" || err == nil && strings.EqualFold(u.Hostname(), "api.cloudflare.com")
}

// publicKV reports whether the witness is Workers KV on the public API.
func (w *Witness) publicKV() bool {
	return w.Type == WitnessCloudflareKV && (w.CloudflareKV == nil || w.CloudflareKV.Public())
}

// LeastStaleness is the least staleness that may be configured.
func (w *Witness) LeastStaleness() time.Duration {
	if w.publicKV() {
		return kvStaleness
	}
	return 0
}

// baseURL checks the address that requests are sent to; inClear is what speaks
// against http.
func (v *validator) baseURL(at, s, inClear string) {
	if s == "" {
		return
	}
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
		v.must(isLoopback(u.Hostname()), at, "found %s, expected https: %s", quote(s), inClear)
	}
}

// cloudflareLimits applies what Cloudflare documents about Workers KV and its
// API to the times.
func (v *validator) cloudflareLimits(at string, w *Witness) {
	if !w.publicKV() || v.refused(join(at, "cloudflare_kv.base_url")) {
		return
	}
	p := v.c.Params()
	if bound := time.Duration(w.Staleness); bound >= 0 && bound < kvStaleness {
		v.inequality(fmt.Sprintf("%s.staleness >= %v does not hold: %v < %v; Cloudflare documents that reads of Workers KV are stale by \"60 seconds or more\", and with a smaller bound two regions could be active at once",
			at, Duration(kvStaleness), w.Staleness, Duration(kvStaleness)), join(at, "staleness"))
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
