package bench

import (
	"context"
	"testing"
	"time"
)

// A Contender is a system with its settings.
type Contender struct {
	Name     string // "failoverd, etcd"
	Version  string
	Settings string // in its own words, and where they recommend them
	Promise  string // what its documentation says of two holders, and where

	TTL   time.Duration // for how long what was renewed last holds
	Renew time.Duration // the interval of renewals

	// Bound is the longest that its documentation, or its code, allows from the last renewal of a node that died until
	// another one acts, with a store that answers in no time; and how it comes about.
	Bound   time.Duration
	Formula string

	// Without are the scenarios that can't be made of it, or mean nothing for it, and why.
	Without map[Scenario]string

	// Start runs its store and n nodes. Clocks says which nodes' clocks don't run at the rate of the machine's, by their
	// number: 1.01 runs 1 % fast. Nodes start in their order, and the first one is given time to become the holder. All
	// ends with the test.
	Start func(tb testing.TB, n int, clocks map[int]float64) Group
}

// A Group is a contender that runs.
type Group interface {
	Nodes() []Node

	// StopStore and StartStore freeze the store, or servers enough of it that it takes no writes, and have it go on. A system whose
	// nodes are the store themselves, or that has none, returns errors.ErrUnsupported.
	StopStore() error
	StartStore() error

	// Switchover has another node take over, as its operators do, and returns when that is asked for, or done.
	// A system that has no such command returns errors.ErrUnsupported.
	Switchover(ctx context.Context, from, to Node) error
}

// A Node is one that may hold. Its methods fail the test where the fault can't be made.
type Node interface {
	Name() string

	Kill()  // with SIGKILL, all that runs on the node: as a machine dies
	Start() // after Kill

	Freeze() // the agent alone, with SIGSTOP: what it guards runs on
	Thaw()

	Cut()                 // off from the store and the other nodes; clients still reach it
	Slow(d time.Duration) // what the store and the other nodes answer comes later by d
	Heal()                // undoes both

	// Healthy reports what the node tells a load balancer: that it is the one to send clients to.
	Healthy(ctx context.Context) bool

	// Acts are the times so far in which what the node guards acted: took writes, or was switched on. One that lasts ends
	// now.
	Acts() []Span

	// Usage is what the processes of the node use that are the system's own, the store and what is guarded apart.
	Usage() Usage
}

// Usage is what processes have used.
type Usage struct {
	RSS int64         // bytes, now
	CPU time.Duration // so far
}
