package config

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// A store is a type of witness, and its own section of the file. Each has a
// file in this package.
type store struct {
	witness string // the value of witness.type
	section string // the key of its section, beside type
	there   func(w *Witness) bool
	set     func(w *Witness) setter
	check   func(v *validator, at string, w *Witness)                    // its section, at the path at
	secrets func(v *validator, at string, w *Witness, s *WitnessSecrets) // loads those that its section names; nil: none
}

var stores = []store{cloudflareKV, durableObject, s3Store, etcdStore, fileStore}

var prefixSyntax = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)

// witness stores the section of one witness.
func witness(w *Witness) setter {
	fields := []field{
		{"type", text(&w.Type)},
		{"staleness", unit(&w.Staleness)},
		{"prefix", text(&w.Prefix)},
	}
	for _, s := range stores {
		fields = append(fields, field{s.section, s.set(w)})
	}
	return section(fields...)
}

// witness checks the witness whose section is at a path, and that exactly its store's
// section is in there.
func (v *validator) witness(at string, w *Witness) {
	types := make([]string, len(stores))
	for i, s := range stores {
		types[i] = s.witness
	}
	atType := join(at, "type")
	v.choice(atType, w.Type, types)
	v.text(join(at, "prefix"), w.Prefix, func(s string) bool { return len(s) <= 128 && prefixSyntax.MatchString(s) })
	for _, s := range stores {
		section := join(at, s.section)
		switch {
		case v.refused(atType):
		case s.witness == w.Type:
			v.must(s.there(w), section, "missing, expected %s, since %s is %s", want(section), atType, w.Type)
		default:
			v.must(!s.there(w), section, "this section has no effect, since %s is %s; remove it, or set %s to %s", atType, w.Type, atType, s.witness)
		}
		if s.there(w) {
			s.check(v, section, w)
		}
	}
}

// loadWitness reads the secrets of a witness.
func (v *validator) loadWitness(at string, w *Witness) (secrets WitnessSecrets) {
	for _, s := range stores {
		if s.there(w) && s.secrets != nil {
			s.secrets(v, join(at, s.section), w, &secrets)
		}
	}
	return secrets
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
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
