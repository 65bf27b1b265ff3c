package config

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
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

var stores = []store{cloudflareKV, durableObject, s3Store, etcdStore, kubernetesStore, fileStore}

var prefixSyntax = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)

// AllWitnesses are the one, which has no name, or the several.
func (c *Config) AllWitnesses() []NamedWitness {
	if len(c.Witnesses) > 0 {
		return c.Witnesses
	}
	return []NamedWitness{{Witness: c.Witness}}
}

// eachWitness calls do for the one, or each of the several, and the path of its section.
func (c *Config) eachWitness(do func(at string, w *Witness)) {
	for i := range c.Witnesses {
		do(fmt.Sprintf("witnesses[%d]", i), &c.Witnesses[i].Witness)
	}
	if len(c.Witnesses) == 0 {
		do("witness", &c.Witness)
	}
}

// witness stores the section of the one witness.
func witness(w *Witness) setter { return section(witnessFields(w)...) }

// oneWitness stores that of one of several.
func oneWitness(w *NamedWitness) setter {
	w.Prefix = Default("").Witness.Prefix
	return section(append([]field{{"name", text(&w.Name)}}, witnessFields(&w.Witness)...)...)
}

func witnessFields(w *Witness) []field {
	fields := []field{
		{"type", text(&w.Type)},
		{"staleness", unit(&w.Staleness)},
		{"prefix", text(&w.Prefix)},
	}
	for _, s := range stores {
		fields = append(fields, field{s.section, s.set(w)})
	}
	return fields
}

// witnesses checks where the flags are.
func (v *validator) witnesses() {
	c := v.c
	if len(c.Witnesses) > 0 && v.has("witness") {
		v.must(false, "witness", "this section has no effect beside witnesses; make it one of them, or remove it")
	}
	if len(c.Witnesses) == 0 && v.has("witnesses") {
		v.must(false, "witnesses", "found no witness, expected %s", want("witnesses"))
		return
	}
	c.eachWitness(v.witness)
	for i, w := range c.Witnesses {
		at := fmt.Sprintf("witnesses[%d]", i)
		v.text(at+".name", w.Name, isLabel)
		for k, o := range c.Witnesses[:i] {
			v.must(!w.sameStore(o.Witness), at, "found the same store as in witnesses[%d], expected another one: what happens to one happens to both", k)
		}
	}
}

// sameStore reports whether two witnesses are in one place.
func (w Witness) sameStore(o Witness) bool {
	w.Staleness, w.Prefix = o.Staleness, o.Prefix
	return reflect.DeepEqual(w, o)
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
	c.eachWitness(func(at string, w *Witness) {
		if w.Type != WitnessCloudflareKV || w.publicKV() || time.Duration(w.Staleness) >= kvStaleness {
			return
		}
		out = append(out, fmt.Sprintf("%s.staleness: %v is safe only if the store at base_url keeps to it: Workers KV itself does not keep to less than %v", at, w.Staleness, Duration(kvStaleness)))
	})
	return out
}
