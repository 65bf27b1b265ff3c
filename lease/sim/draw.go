package sim

import (
	"math/rand/v2"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Draw is the world of a seed: two to four regions, with parameters from a
// short TTL on a linearizable store to those of Workers KV, in chaos or with
// one death at a time. What is drawn is a valid configuration of the daemon
// within the assumptions of the protocol.
func Draw(seed uint64) Config {
	rng := rand.New(rand.NewPCG(seed, 0xd1a3))
	pick := func(of ...float64) float64 { return of[rng.IntN(len(of))] }

	// Long TTLs more often: simulated hours are cheaper by the TTL.
	ttl := time.Duration(pick(3, 10, 30, 30)) * time.Second
	of := func(fraction float64) time.Duration { return time.Duration(fraction * float64(ttl)) }
	staleness := of(pick(0, 0, 0.3, 1, 2))
	p := lease.Params{
		Group: "sim", Members: []lease.Region{"east", "north", "south", "west"}[:2+rng.IntN(3)],
		TTL: ttl, RenewInterval: of(1. / 3), RetryInterval: of(1. / 15), PollInterval: of(1. / 15),
		RequestTimeout: of(1. / 6), FenceTimeout: of(pick(0.1, 0.3)),
		MaxClockDrift: pick(0.002, 0.01, 0.05), Staleness: staleness,
	}
	p.Quorum = rng.IntN(4) > 0
	cfg := Config{Seed: seed, Params: p}
	cfg.Faults.RoundTrip = of(pick(0.001, 0.01, 0.05))
	cfg.Faults.Lazy = pick(0, 0, 0.8)
	if rng.IntN(5) == 0 {
		cfg.Faults.Deaths = true
		// A death's bound is for three round trips, with clocks and links that
		// are no worse than they should be.
		cfg.Duration = 40 * p.Longer(3*(p.TTL+p.Staleness))
		return cfg
	}
	cfg.Faults.Chaos = true
	cfg.Faults.Duels = rng.IntN(4) == 0
	cfg.Faults.Cripple = rng.IntN(4) == 0
	if p.Quorum {
		switch rng.IntN(4) {
		case 0:
			cfg.Faults.WitnessGone = true
		case 1:
			cfg.Faults.QuorumGone = true
		}
	}
	// Of a source of its own, so that the other worlds stay what they are.
	if ill := rand.New(rand.NewPCG(seed, 0x111)); p.Quorum && ill.IntN(3) == 0 {
		cfg.Faults.Flapping = true
		cfg.Params.MaxHandOvers, cfg.Params.HandOverWindow = 1+ill.IntN(3), time.Duration(1+ill.IntN(10))*p.TTL
	}
	cfg.Duration = 60*(p.TTL+p.Staleness) + Recovery(p)
	return cfg
}

// DrawInstances is a world whose regions have several instances, whose API servers fail too.
func DrawInstances(seed uint64) Config {
	cfg := Draw(seed)
	rng := rand.New(rand.NewPCG(seed, 0x1257))
	cfg.Instances = 2 + rng.IntN(2)
	cfg.Params.TermDuration = cfg.Params.TTL * time.Duration(5+rng.IntN(6)) / 100
	cfg.Faults.Chaos, cfg.Faults.Deaths = true, false
	cfg.Duration = 60*(cfg.Params.TTL+cfg.Params.Staleness) + Recovery(cfg.Params)
	return cfg
}

// DrawSquare is a world of three regions with three instances each.
func DrawSquare(seed uint64) Config {
	cfg := DrawInstances(seed)
	cfg.Params.Members, cfg.Instances = []lease.Region{"east", "north", "south"}, 3
	cfg.Duration = 60*(cfg.Params.TTL+cfg.Params.Staleness) + Recovery(cfg.Params)
	return cfg
}

// DrawSeveral is a world with three or five witnesses, each with a staleness bound of its own, whose regions have
// several instances in every third.
func DrawSeveral(seed uint64) Config {
	cfg := Draw(seed)
	if seed%3 == 0 {
		cfg = DrawInstances(seed)
	}
	rng := rand.New(rand.NewPCG(seed, 0x3171))
	p := &cfg.Params
	p.Staleness = 0
	for i := range 3 + 2*(rng.IntN(4)/3) {
		bound := time.Duration([]float64{0, 0, 0.3, 1, 2}[rng.IntN(5)] * float64(p.TTL))
		p.Witnesses = append(p.Witnesses, lease.WitnessParams{Name: string(rune('a' + i)), Staleness: bound})
		p.Staleness = max(p.Staleness, bound)
	}
	cfg.Faults.Outvoted = !cfg.Faults.Cripple && rng.IntN(3) == 0
	cfg.Faults.OldInfo = !cfg.Faults.Cripple && !cfg.Faults.Outvoted && rng.IntN(2) == 0
	cfg.Duration = 60*(p.TTL+p.Staleness) + Recovery(*p)
	if cfg.Faults.Deaths {
		cfg.Duration = 40 * p.Longer(3*(p.TTL+p.Staleness))
	}
	return cfg
}

// A Break is an assumption of the protocol that a world breaks.
type Break string

const (
	Unbroken    Break = ""
	StaleBeyond Break = "staler than the bound"
	StaleOthers Break = "staler than the bound, but for the own flag"
	TwoSpaces   Break = "two namespaces"
	OneSplit    Break = "two namespaces of one of several witnesses"
	TwoTTLs     Break = "two TTLs"
	LeakedKey   Break = "a leaked key"

	// These break nothing: regions have two or three instances, or all three of three, or two or three with one
	// fault on top of the others, or there are several witnesses.
	Instances Break = "instances"
	Square    Break = "three of three"
	Several   Break = "several witnesses"
	CutGivers Break = "cut off while giving authority up"
)

// DrawBroken is a world that breaks an assumption.
func DrawBroken(seed uint64, b Break) Config {
	cfg := Draw(seed)
	p := cfg.Params
	cfg.Faults.Flapping = cfg.Faults.Flapping && b == Unbroken
	switch b {
	case Instances:
		return DrawInstances(seed)
	case Square:
		return DrawSquare(seed)
	case Several:
		return DrawSeveral(seed)
	case CutGivers:
		cfg = DrawInstances(seed)
		cfg.Faults.CutGivers = true
		return cfg
	case StaleBeyond, StaleOthers:
		cfg.Faults.OwnFresh = b == StaleOthers
		cfg.Faults.TrueStaleness = 4*(p.TTL+p.Staleness) + p.Staleness
		cfg.Faults.Cripple = false
	case OneSplit:
		cfg = DrawSeveral(seed)
		cfg.Faults.Split, cfg.Faults.Deaths = true, false
	case TwoSpaces:
		cfg.Faults.Split, cfg.Faults.Deaths = true, false
	case TwoTTLs:
		cfg.Faults.OtherTTL, cfg.Faults.Deaths = 4*p.TTL, false
	case LeakedKey:
		cfg.Params.Quorum, cfg.Faults.LeakedKey, cfg.Faults.Deaths = true, true, false
	}
	return cfg
}
