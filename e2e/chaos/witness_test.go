package chaos

import (
	"fmt"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/durableobject"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/s3"
	"github.com/openova-io/failoverd/lease"
)

// A witness makes a group on a store, and has a watcher be told of the requests of one of its regions.
type witness func(*testing.T, daemon.Binaries, lease.Params) (group *daemon.Group, watch func(*daemon.Region, kvserver.Watcher))

// witnesses are those that there are, by their type.
var witnesses = map[string]witness{"cloudflare-kv": onKV, "durable-object": onDurableObject, "etcd": onEtcd, "s3": onS3}

func onKV(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*daemon.Region, kvserver.Watcher)) {
	return daemon.NewGroup(t, binaries, params, nil), func(r *daemon.Region, w kvserver.Watcher) { r.Link.Watch(w) }
}

// onDurableObject has a link to the Worker for each region.
func onDurableObject(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*daemon.Region, kvserver.Watcher)) {
	srv := durableobject.Start(t, durableobject.Options{})
	links := map[lease.Region]*durableobject.Link{}
	for _, name := range params.Members {
		links[name] = srv.Link(t)
	}
	group := daemon.NewGroupOn(t, binaries, params, nil, func(r *daemon.Region) string { return srv.Witness(links[r.Name].URL) })
	return group, func(r *daemon.Region, w kvserver.Watcher) { links[r.Name].Watch(w) }
}

// onEtcd has three members, and a link to them for each region.
func onEtcd(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*daemon.Region, kvserver.Watcher)) {
	cluster := etcd.Start(t, 3)
	links := map[lease.Region]*etcd.Link{}
	for _, name := range params.Members {
		links[name] = cluster.Link(t)
	}
	group := daemon.NewGroupOn(t, binaries, params, nil, func(r *daemon.Region) string {
		return fmt.Sprintf("{type: etcd, staleness: 0s, etcd: {endpoints: [%q]}}", links[r.Name].URL)
	})
	return group, func(r *daemon.Region, w kvserver.Watcher) { links[r.Name].Watch(w) }
}

// onS3 has a link to versitygw for each region.
func onS3(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*daemon.Region, kvserver.Watcher)) {
	srv := s3.Start(t)
	links := map[lease.Region]*s3.Link{}
	for _, name := range params.Members {
		links[name] = srv.Link(t)
	}
	group := daemon.NewGroupOn(t, binaries, params, nil, func(r *daemon.Region) string { return s3.Section(t, r, links[r.Name].Config) })
	return group, func(r *daemon.Region, w kvserver.Watcher) { links[r.Name].Watch(w) }
}
