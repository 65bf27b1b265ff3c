// Package demo is a failover group that anyone can watch on one machine: three
// agents in one process, with real sockets, state directories, a file witness and
// caching resolvers, and times short enough that all is over within a minute.
//
// It kills, freezes and cuts off whichever region is active, takes the witness away
// from all of them, has a resolver lie, and switches over, while a client asks all
// three ten times a second, and reports how long nobody answered, beside the
// computed bound, and whether ever two did. At the end it verifies and replays the journals
// that the agents have kept.
//
// Each agent has its status page, at an address that is told first.
//
// The agents are those that `failoverd run` runs. What an operating system and a
// network do to a process is done to them from outside, by what stands between an
// agent and its clock, disk, witness, resolvers and layer: see life.
package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

const groupName = "demo"

// limit ends a demo that hangs. One on a busy machine, which waits for takeovers more than once, takes more than a minute.
const limit = 3 * time.Minute

// Params are the parameters of every region, but for Region: a linearizable witness,
// the quorum, and a TTL of 3 s.
func Params() lease.Params {
	return lease.Params{
		Group: groupName, Members: []lease.Region{"fsn", "hel", "nbg"},
		TTL: 3 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond,
		PollInterval: 200 * time.Millisecond, RequestTimeout: 500 * time.Millisecond, FenceTimeout: 500 * time.Millisecond,
		MaxClockDrift: 0.002, Quorum: true, Keys: map[lease.Region]string{},
	}
}

// Run runs the demo and tells watch what happens. It returns an error if the demo did not come
// to its end, and no report if it could not begin; what it showed is the report's to say.
func Run(ctx context.Context, log hclog.Logger, watch Watcher) (*Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "failoverd-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder (TMPDIR says where): %w", err)
	}
	defer os.RemoveAll(dir)
	witnessDir := filepath.Join(dir, "witness")
	if err := os.Mkdir(witnessDir, 0o700); err != nil {
		return nil, err
	}
	world, err := newWorld(witnessDir)
	if err != nil {
		return nil, err
	}
	defer world.close()
	regions, err := newRegions(world, dir, log)
	defer func() {
		for _, r := range regions {
			r.close()
		}
	}()
	if err != nil {
		return nil, err
	}
	report, err := direct(ctx, world, regions, watch)
	if report == nil {
		return nil, err
	}
	for _, r := range regions {
		r.close() // which writes its journal to its end
		report.Journals = append(report.Journals, r.audited())
	}
	return report, err
}

// newRegions makes the regions, none of which runs yet. Those that it returns are to be closed, with
// an error too.
func newRegions(world *world, dir string, log hclog.Logger) ([]*region, error) {
	params := Params()
	identities, err := newIdentities(params.Members)
	if err != nil {
		return nil, err
	}
	for name, id := range identities {
		params.Keys[name] = config.PublicKey(id)
	}
	var regions []*region
	for _, name := range params.Members {
		p := params
		p.Region = name
		r := &region{
			name: name, params: p, identities: identities, world: world,
			stateDir: filepath.Join(dir, string(name)), log: log.Named(string(name)),
		}
		regions = append(regions, r)
		if r.service, err = newService(name); err != nil {
			return regions, err
		}
		if r.site, err = newSite(name); err != nil {
			return regions, err
		}
	}
	return regions, nil
}
