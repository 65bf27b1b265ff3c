package config

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/openova-io/failoverd/lease"
)

// Validate returns all that is unsafe or senseless in c as Problems, nil if
// nothing is. Parse has called it already; a program that makes or changes a
// Config calls it itself.
func (c *Config) Validate() error {
	return c.validate(c.document()).err()
}

// document is the file that c was read from, with nothing refused yet; an
// empty one if c was made by a program.
func (c *Config) document() *document {
	if c.doc == nil {
		return newDocument("configuration", "")
	}
	d := *c.doc
	d.bad = map[string]bool{}
	return &d
}

// modes are the values of mode.
var modes = func() (names []string) {
	for _, m := range lease.Modes {
		names = append(names, string(m))
	}
	return names
}()

// A validator applies the rules and collects what breaks them. A rule on a
// value that was refused before is left out: it would only repeat it.
type validator struct {
	*document
	c        *Config
	problems Problems
	files    hashes // of those that LoadSecrets reads
}

func (c *Config) validate(d *document) Problems {
	v := &validator{document: d, c: c}
	v.names()
	v.choice("mode", string(c.Mode), modes)
	v.must(c.ApprovalTimeout > 0, "approval_timeout", "found %v, expected more than 0s: nobody could approve in time", c.ApprovalTimeout)
	v.witnesses()
	v.quorum()
	v.identity()
	v.kubernetes()
	v.clusterLayers()
	for i := range c.Layers.Hooks {
		v.hook(i)
	}
	v.instances()
	v.watchdog()
	v.health()
	v.gpu()
	v.notifications()
	v.api()
	v.text("state_dir", c.StateDir, isAbs)
	v.choice("log.level", c.Log.Level, LogLevels)
	v.choice("log.format", c.Log.Format, LogFormats)
	v.lease()
	c.eachWitness(v.cloudflareLimits)
	return v.problems
}

// must reports a rule that does not hold for the value at a path.
func (v *validator) must(ok bool, path, format string, args ...any) {
	if ok || v.refused(path) {
		return
	}
	v.problems = append(v.problems, v.problem(path, v.at(path), fmt.Sprintf(format, args...)))
}

// text checks a required text.
func (v *validator) text(path, value string, ok func(string) bool) {
	if value == "" && !v.has(path) {
		v.must(false, path, "missing, expected %s", want(path))
		return
	}
	shown := quote(value)
	if maySecret(path) && value != "" {
		shown = "a text that is none (the secret itself does not belong in this file)"
	}
	v.must(ok(value), path, "found %s, expected %s", shown, want(path))
}

// choice checks a value of which only some are known.
func (v *validator) choice(path, value string, values []string) {
	switch meant := closest(value, values); {
	case slices.Contains(values, value):
	case value != "" && meant != "" && len(values) > 1:
		v.must(false, path, "found %s, expected %s; did you mean %s?", quote(value), want(path), meant)
	default:
		v.text(path, value, func(string) bool { return false })
	}
}

// names checks who is in the group.
func (v *validator) names() {
	c := v.c
	v.text("group", c.Group, isLabel)
	v.text("region", string(c.Region), isLabel)
	for i, m := range c.Members {
		v.text(fmt.Sprintf("members[%d]", i), string(m), isLabel)
	}
	if len(c.Members) == 0 && !v.has("members") {
		v.must(false, "members", "missing, expected %s", want("members"))
	}
	for _, broken := range c.Params().Violations() {
		// region is judged by members, so it can't be if that was refused.
		if slices.Contains(membership, broken.Field) && !v.refused("members") {
			v.must(false, broken.Field, "%s", strings.TrimPrefix(broken.Text, broken.Field+" "))
		}
	}
}

// membership are the fields of lease.Params that say who is in the group.
var membership = []string{"group", "region", "members"}

// times are the fields of lease.Params that its inequalities name. The ttl is
// last: where an inequality has it and another one that the file sets, the
// other is more likely the one to change.
var times = []string{
	"lease.renew_interval", "lease.retry_interval", "lease.poll_interval", "lease.request_timeout",
	"lease.fence_timeout", "lease.max_clock_drift", "witness.staleness", "lease.ttl",
}

// instances checks the section, if there is one.
func (v *validator) instances() {
	if i := v.c.Instances; i != nil {
		v.must(i.TermDuration > 0, "instances.term_duration", "found %v, expected %s", i.TermDuration, want("instances.term_duration"))
		if i.DNSService != "" {
			v.text("instances.dns_service", i.DNSService, isLabel)
			v.must(v.c.Quorum != nil, "instances.dns_service", "found %s, and no section quorum: nobody asks this region then; add quorum, or leave this out", quote(i.DNSService))
		}
	}
}

// watchdog checks the section, if there is one. A timeout above lease.fence_timeout could pass only after authority has ended.
func (v *validator) watchdog() {
	w := v.c.Watchdog
	if w == nil {
		return
	}
	v.must(path.IsAbs(w.Device), "watchdog.device", "found %s, expected %s", quote(w.Device), want("watchdog.device"))
	whole := w.Timeout >= Duration(time.Second) && w.Timeout%Duration(time.Second) == 0
	v.must(whole, "watchdog.timeout", "found %v, expected %s", w.Timeout, want("watchdog.timeout"))
	if whole && !v.refused("lease.fence_timeout") {
		v.must(w.Timeout <= v.c.Lease.FenceTimeout, "watchdog.timeout", "found %v, expected at most lease.fence_timeout, %v: the machine has to be reset before the end of the authority that it has then", w.Timeout, v.c.Lease.FenceTimeout)
	}
}

// lease applies the rules of lease.Params, and the one that the core leaves
// out, since it is about the load on the machine.
func (v *validator) lease() {
	p := v.c.Params()
	// These are judged whether or not the members are right, since all problems
	// are to be reported.
	p.Group, p.Region, p.Members = "g", "a", []lease.Region{"a", "b"}
	for _, broken := range p.Violations() {
		v.inequality(broken.Text, broken.Field)
	}
	const busy = 10 * time.Millisecond
	for i, d := range []time.Duration{p.RenewInterval, p.RetryInterval, p.PollInterval, p.RequestTimeout, p.FenceTimeout} {
		if d > 0 && d < busy {
			v.inequality(fmt.Sprintf("%s = %v, want at least %v: no store and no machine keeps shorter times", times[i], d, busy), times[i])
		}
		if d > maxDuration { // a sum of such overflows, and then looks small
			v.inequality(fmt.Sprintf("%s = %v, want at most %v", times[i], d, Duration(maxDuration)), times[i])
		}
	}
}

// inequality reports an inequality between parameters. It points at the first
// of the fields, or of those that the text names, that the file sets, and says
// which of the values are defaults.
func (v *validator) inequality(text string, fields ...string) {
	for _, f := range times {
		if strings.Contains(text, f) && !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	if slices.ContainsFunc(fields, v.refused) {
		return // one of the values is not what the user meant
	}
	key := fields[0]
	if i := slices.IndexFunc(fields, v.has); i >= 0 {
		key = fields[i]
	}
	if rest, ok := strings.CutPrefix(text, key+" = "); ok {
		text = "found " + rest
	}
	var defaults []string
	for _, f := range fields {
		if v.c.doc != nil && !v.has(f) {
			defaults = append(defaults, f)
		}
	}
	switch len(defaults) {
	case 0:
	case 1:
		text += fmt.Sprintf(" (%s is not in the file, its value is the default)", defaults[0])
	default:
		text += fmt.Sprintf(" (%s are not in the file, their values are the defaults)", strings.Join(defaults, ", "))
	}
	// Not must: two inequalities about one field are two problems.
	v.problems = append(v.problems, v.newProblem(key, v.at(key), text))
}

// identity checks that every member, and nobody else, has a public key.
func (v *validator) identity() {
	id, section := v.c.Identity, "identity.public_keys"
	v.text("identity.private_key_file", id.PrivateKeyFile, isAbs)
	if len(id.PublicKeys) == 0 && !v.refused(section) {
		v.must(false, section, "missing, expected %s", want(section))
		return
	}
	owner := map[string]lease.Region{}
	for _, region := range slices.Sorted(maps.Keys(id.PublicKeys)) {
		key, at := id.PublicKeys[region], join(section, string(region))
		_, err := decodePublicKey(key)
		v.must(err == nil, at, "found a text that is %v, expected %s", err, want(at))
		// From here on it is a public key, which may be shown.
		n := len(v.problems)
		if !v.refused("members") {
			v.must(slices.Contains(v.c.Members, region), at, "%s is not one of members %v; remove its key, or add it to members in every region", quote(string(region)), v.c.Members)
		}
		if other, ok := owner[key]; ok {
			v.must(false, at, "this is the key of %s too, expected a key of its own for each region; make one with failoverd keygen", other)
		}
		owner[key] = region
		for _, p := range v.problems[n:] {
			p.Excerpt = v.excerpt(v.at(at), false)
		}
	}
	for i, region := range v.c.Members {
		if _, ok := id.PublicKeys[region]; !ok && !v.refused("members") && !v.refused(section) && !slices.Contains(v.c.Members[:i], region) {
			at := join(section, string(region))
			v.must(false, at, "missing, expected the public key of this member, as failoverd keygen prints it there")
		}
	}
}

var labelSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// isLabel reports whether s is a DNS label in lower case.
func isLabel(s string) bool { return labelSyntax.MatchString(s) }

// isAbs reports whether s is an absolute path that can be one: the daemon's
// working directory is not the user's.
func isAbs(s string) bool { return path.IsAbs(s) && isPlain(s) }

// isPlain reports whether s is free of control characters.
func isPlain(s string) bool { return !strings.ContainsFunc(s, unicode.IsControl) }
