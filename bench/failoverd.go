package bench

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// fastTimes are the shortest that docs/witnesses.md calls safe on a witness that is never stale.
func fastTimes(members ...lease.Region) lease.Params {
	p := daemon.DefaultTimes(members...)
	p.TTL, p.RenewInterval, p.RetryInterval, p.PollInterval = 3*time.Second, time.Second, 300*time.Millisecond, 200*time.Millisecond
	p.RequestTimeout, p.FenceTimeout = 500*time.Millisecond, time.Second
	return p
}

// kvTimes are the default times, with the staleness that Cloudflare documents for Workers KV.
func kvTimes(members ...lease.Region) lease.Params {
	p := daemon.DefaultTimes(members...)
	p.Staleness = time.Minute
	return p
}

// kvStale is how old the reads are that KV answers with.
const kvStale = 30 * time.Second

const failoverdPromise = `"two regions never hold authority at once", under the assumptions of docs/protocol.md; "layers are inactive when authority ends: ` +
	`while the agent runs", and, when it is frozen or killed, with a dead-man's switch in time (docs/deadman.md)`

// A failoverdKind is failoverd on one kind of witness.
type failoverdKind struct {
	name, settings string
	times          func(...lease.Region) lease.Params
	on             func(testing.TB, daemon.Binaries, lease.Params, *daemon.Quorum) (*daemon.Group, failoverdStore)
	watched        float64 // as the unit that is shipped has it, with so many times its times; 0: by nobody
	without        map[Scenario]string
}

// failoverds are the contenders that are failoverd.
func failoverds(tb testing.TB) (all []Contender) {
	programs := &failoverdPrograms{tb: tb}
	const fast = "the shortest times that docs/witnesses.md calls safe; the times of the unit a tenth, of which `failoverd check` says that they are too long, as it allows 2 s for a start"
	// A directory has no network whose answers could be late.
	fileless := map[Scenario]string{SlowAnswers: "not made: a local directory answers at once"}
	// What nobody watches differs only where an agent comes to harm.
	unwatched := map[Scenario]string{}
	for _, s := range []Scenario{Partitioned, SlowAnswers, FastHolder, FastCandidates, Switchover, Outage} {
		unwatched[s] = "as failoverd, etcd"
	}
	for _, k := range []failoverdKind{
		{"failoverd, etcd", "three members of etcd; default times", daemon.DefaultTimes, onEtcd, 1, nil},
		{"failoverd, etcd, unwatched", "three members of etcd; default times; `failoverd check` refuses to have an agent run so", daemon.DefaultTimes, onEtcd, 0, unwatched},
		{"failoverd, file", "a directory that all see; default times", daemon.DefaultTimes, onFile, 1, fileless},
		{"failoverd, adversarial KV", fmt.Sprintf("Cloudflare's own KV code, made to answer reads by what is up to %v old, declared as 60 s, Cloudflare's own figure; default times", kvStale), kvTimes, onKV, 1, nil},
		{"failoverd, etcd, fast", "three members of etcd; " + fast, fastTimes, onEtcd, .1, nil},
		{"failoverd, file, fast", "a directory that all see; " + fast, fastTimes, onFile, .1, fileless},
	} {
		all = append(all, k.contender(programs))
	}
	return all
}

func (k failoverdKind) contender(programs *failoverdPrograms) Contender {
	p := k.times("r1", "r2", "r3")
	bound, formula := p.LongestGapFresh(0), "longer(ttl) + poll_interval"
	if p.Staleness > 0 {
		bound, formula = p.LongestGapStale(0), "longer(ttl + 2 staleness) + poll_interval"
	}
	by := "nobody watches the agent"
	if k.watched > 0 {
		by = "the agent is a service, by the unit that is shipped (WatchdogSec, Restart, ExecStopPost), of a stand-in for systemd"
	}
	return Contender{
		Name: k.name, Version: "this commit",
		Settings: fmt.Sprintf("%s; ttl %v, renew_interval %v, poll_interval %v, request_timeout %v, fence_timeout %v; the quorum goes through unbound, Knot Resolver and BIND; %s; its health is the dead-man gate, /readyz?gate=GROUP",
			k.settings, p.TTL, p.RenewInterval, p.PollInterval, p.RequestTimeout, p.FenceTimeout, by),
		Promise: failoverdPromise,
		TTL:     p.TTL, Renew: p.RenewInterval, Bound: bound, Formula: formula + " (docs/protocol.md, §6)",
		Without: k.without,
		Start: func(tb testing.TB, n int, clocks map[int]float64) Group {
			return startFailoverd(tb, k, programs.get(tb, len(clocks) > 0), n, clocks)
		},
	}
}

// failoverdPrograms are those of all groups, each built when it is first wanted.
type failoverdPrograms struct {
	tb            testing.TB // with which they end
	mu            sync.Mutex
	right, atRate *daemon.Binaries
}

// get returns programs as they are released, or ones whose clocks can run at another rate.
func (f *failoverdPrograms) get(tb testing.TB, atRate bool) daemon.Binaries {
	tb.Helper()
	tb = lasting{tb, f.tb}
	f.mu.Lock()
	defer f.mu.Unlock()
	built, flags := &f.right, []string{"-ldflags", "-s -w", "-tags", "grpcnotrace"}
	if atRate {
		built, flags = &f.atRate, append(flags, ClockFlags(tb)...)
	}
	if *built == nil {
		programs := daemon.Build(tb, false, flags...)
		*built = &programs
	}
	return **built
}

// lasting is a test, but that its folders last as long as another one.
type lasting struct {
	testing.TB
	last testing.TB
}

func (l lasting) TempDir() string { return l.last.TempDir() }
