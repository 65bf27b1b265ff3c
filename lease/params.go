package lease

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// ProtocolVersion is part of Safety: regions that speak different versions of
// the protocol neither take from one another nor pledge.
const ProtocolVersion = 1

// A Region names one member of a failover group, by a DNS label.
type Region string

// Params are the parameters of one region's lease. They do not change while a
// State lives.
type Params struct {
	Group   string
	Region  Region   // this one
	Members []Region // all regions of the group, in the same order everywhere

	TTL             time.Duration   // authority lasts this long from the sending of its base (§2)
	RenewInterval   time.Duration   // between renewals of a flag
	RetryInterval   time.Duration   // between attempts after a failed one, and at least between any two writes
	PollInterval    time.Duration   // between rounds of reads, while not active
	RequestTimeout  time.Duration   // an answer later than this is no base
	FenceTimeout    time.Duration   // fencing starts this long before the deadline (§2)
	MaxClockDrift   float64         // ρ: how far the rate of any region's clock is from true time, as a fraction (§2)
	Staleness       time.Duration   // Δ: the witness's staleness bound (§1); of several, the largest
	Witnesses       []WitnessParams // where there are several: an odd number (§1, several witnesses)
	Mode            Mode            // empty: automatic (§4, modes)
	ApprovalTimeout time.Duration   // an operator's word is good for so long, and a request for one is made anew
	MaxHandOvers    int             // for being degraded, within HandOverWindow; 0: it does not hand over for that (§4)
	HandOverWindow  time.Duration
	Instance        string        // this instance's name among those of the region; empty: the region has one (§5)
	TermDuration    time.Duration // how long an instance that acts for the region is not replaced after its last sign of life (§5)
	Quorum          bool          // regions can ask one another through the DNS quorum (§4)

	// Keys are the members' public keys, base64. The core only compares them
	// (they are part of Safety); signatures are checked where bytes are read.
	Keys map[Region]string

	// KnownAbsent are members that the operator has declared absent: they are
	// not waited for at the first start of a group (§3, first start).
	KnownAbsent []Region
}

// Longer is how long one region must wait on its own clock so that d has
// passed on any other's: d·(1+ρ)/(1−ρ), rounded up (§2).
func (p Params) Longer(d time.Duration) time.Duration {
	return time.Duration(float64(d)*(1+p.MaxClockDrift)/(1-p.MaxClockDrift)) + 1
}

// Lead is how long before a lease can have run out its suspect raises a flag,
// so that the flag stands when the wait is over: TTL/6 (§3, suspect).
func (p Params) Lead() time.Duration { return p.TTL / 6 }

// Safety is the set of parameters that safety rests on. Every region of a
// group must have the same one (§3, first start). It is a map so that two
// regions of different versions can still say which parameter differs.
func (p Params) Safety() map[string]string {
	s := map[string]string{
		"protocol":        fmt.Sprint(ProtocolVersion),
		"group":           p.Group,
		"members":         fmt.Sprint(p.Members),
		"ttl":             p.TTL.String(),
		"staleness":       p.Staleness.String(),
		"max_clock_drift": fmt.Sprintf("%g", p.MaxClockDrift),
	}
	if len(p.Witnesses) > 0 {
		s["witnesses"] = fmt.Sprint(p.Witnesses)
	}
	for r, k := range p.Keys {
		s["public_key/"+string(r)] = k
	}
	return s
}

// SafetyHash is a digest of a set that Params.Safety returned.
func SafetyHash(safety map[string]string) string {
	b, err := json.Marshal(safety) // keys come out sorted
	if err != nil {
		panic(err) // a map of strings always encodes
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

// SafetyDiff names the parameters in which two sets of Params.Safety differ,
// sorted.
func SafetyDiff(a, b map[string]string) []string {
	var diff []string
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			diff = append(diff, k)
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			diff = append(diff, k)
		}
	}
	slices.Sort(diff)
	return diff
}

// A Violation is an inequality that a set of parameters breaks.
type Violation struct {
	Field string // the parameter to change, by its name in the configuration: lease.ttl
	Text  string // the inequality, both of its values, and why it must hold
}

// Violations returns what makes p unsafe or senseless, in a fixed order; none
// for parameters that a State can run with.
func (p Params) Violations() []Violation {
	var out []Violation
	must := func(ok bool, field, format string, args ...any) {
		if !ok {
			out = append(out, Violation{field, fmt.Sprintf(format, args...)})
		}
	}
	must(p.Group != "", "group", "group is empty, want the name of the failover group")
	must(len(p.Members) >= 2, "members", "members names %d of at least 2 regions: one region has nobody to fail over to", len(p.Members))
	must(slices.Contains(p.Members, p.Region), "region", "region %q is not one of members %v", p.Region, p.Members)
	for i, m := range p.Members {
		must(!slices.Contains(p.Members[:i], m), "members", "members names %q twice", m)
	}
	for _, r := range p.KnownAbsent {
		must(slices.Contains(p.Members, r) && r != p.Region, "member-absent", "%q can't be declared absent: it is not another one of members %v", r, p.Members)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"lease.ttl", p.TTL}, {"lease.renew_interval", p.RenewInterval}, {"lease.retry_interval", p.RetryInterval},
		{"lease.poll_interval", p.PollInterval}, {"lease.request_timeout", p.RequestTimeout}, {"lease.fence_timeout", p.FenceTimeout},
	} {
		must(d.value > 0, d.field, "%s = %v, want more than 0", d.field, d.value)
	}
	must(p.Staleness >= 0, "witness.staleness", "witness.staleness = %v, want 0 or more", p.Staleness)
	must(p.Staleness <= 24*time.Hour, "witness.staleness", "witness.staleness = %v, want at most 24h: a takeover waits for longer than that", p.Staleness)
	p.witnessViolations(must)
	must(p.TTL <= time.Hour, "lease.ttl", "lease.ttl = %v, want at most 1h: a takeover waits for longer than that", p.TTL)
	must(p.MaxClockDrift >= 0.0006, "lease.max_clock_drift", "lease.max_clock_drift = %.3g%%, want at least 0.06%%: quartz is within 0.01%% and NTP slews by up to 0.05%%", 100*p.MaxClockDrift)
	must(p.MaxClockDrift <= 0.1, "lease.max_clock_drift", "lease.max_clock_drift = %.3g%%, want at most 10%%: a clock that is worse is broken", 100*p.MaxClockDrift)
	must(p.TermDuration > 0 || p.TermDuration == 0 && p.Instance == "", "instances.term_duration", "instances.term_duration = %v, want more than 0", p.TermDuration)
	must(p.Mode == "" || slices.Contains(Modes, p.Mode), "mode", "mode is %q, want one of %v", p.Mode, Modes)
	must(p.ApprovalTimeout >= 0, "approval_timeout", "approval_timeout = %v, want 0 (for 15m) or more", p.ApprovalTimeout)
	must(p.MaxHandOvers >= 0, "health.max_handovers", "health.max_handovers = %d, want 0 or more", p.MaxHandOvers)
	must(p.MaxHandOvers == 0 || p.HandOverWindow > 0, "health.handover_window", "health.handover_window = %v, want more than 0", p.HandOverWindow)
	if len(out) > 0 {
		return out // the inequalities below would only repeat it
	}
	attempt := max(p.RequestTimeout, p.RetryInterval)
	if p.TermDuration > 0 {
		must(p.RenewInterval+2*p.Longer(p.TermDuration) < p.TTL-p.FenceTimeout, "instances.term_duration",
			"lease.renew_interval + 2 instances.term_duration < lease.ttl - lease.fence_timeout does not hold: %v + 2·%v < %v - %v; the heir of an instance that dies would come too late to renew",
			p.RenewInterval, p.TermDuration, p.TTL, p.FenceTimeout)
	}
	must(p.FenceTimeout < p.TTL, "lease.fence_timeout",
		"lease.fence_timeout < lease.ttl does not hold: %v < %v; fencing must start after the renewal that it ends", p.FenceTimeout, p.TTL)
	must(p.RenewInterval < p.TTL-p.FenceTimeout-attempt, "lease.renew_interval",
		"lease.renew_interval + max(lease.request_timeout, lease.retry_interval) < lease.ttl - lease.fence_timeout does not hold: %v + %v < %v - %v; one lost renewal would already fence a healthy region",
		p.RenewInterval, attempt, p.TTL, p.FenceTimeout)
	must(p.RetryInterval <= p.RenewInterval, "lease.retry_interval",
		"lease.retry_interval <= lease.renew_interval does not hold: %v <= %v; a retry must not come later than the next renewal", p.RetryInterval, p.RenewInterval)
	must(p.PollInterval <= p.RenewInterval, "lease.poll_interval",
		"lease.poll_interval <= lease.renew_interval does not hold: %v <= %v; a standby would miss renewals", p.PollInterval, p.RenewInterval)
	return out
}
