package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease"
)

// A failoverdStore is the witness of a group of failoverd, to which each region has a way of its own.
type failoverdStore struct {
	cut, heal   func(region int)
	slow        func(region int, d time.Duration)
	stop, start func() error // for all of them
}

// byLinks is a store that each region reaches by links.
func byLinks(links [][]*Link, stop, start func() error) failoverdStore {
	each := func(region int, do func(*Link)) {
		for _, l := range links[region] {
			do(l)
		}
	}
	return failoverdStore{
		cut:  func(region int) { each(region, (*Link).Cut) },
		heal: func(region int) { each(region, (*Link).Heal) },
		slow: func(region int, d time.Duration) { each(region, func(l *Link) { l.Slow(d) }) },
		stop: stop, start: start,
	}
}

// onEtcd is a group on three members of etcd. Two of them are frozen when the store is to be gone.
func onEtcd(tb testing.TB, programs daemon.Binaries, p lease.Params, quorum *daemon.Quorum) (*daemon.Group, failoverdStore) {
	cluster := etcd.Start(tb, 3)
	links, urls := make([][]*Link, len(p.Members)), map[lease.Region][]string{}
	for i, member := range p.Members {
		for _, endpoint := range cluster.Endpoints(i) {
			l := NewLink(tb, strings.TrimPrefix(endpoint, "http://"))
			links[i] = append(links[i], l)
			urls[member] = append(urls[member], "http://"+l.Address)
		}
	}
	group := daemon.NewGroupOn(tb, programs, p, quorum, func(r *daemon.Region) string {
		endpoints, _ := json.Marshal(urls[r.Name]) // strings always can be
		return fmt.Sprintf("{type: etcd, staleness: 0s, etcd: {endpoints: %s}}", endpoints)
	})
	return group, byLinks(links, func() error {
		return errors.Join(cluster.Members[0].Freeze(tb.Context()), cluster.Members[1].Freeze(tb.Context()))
	}, func() error {
		return errors.Join(cluster.Members[0].Thaw(), cluster.Members[1].Thaw())
	})
}

// onKV is a group on Cloudflare's KV code, whose reads are old.
func onKV(tb testing.TB, programs daemon.Binaries, p lease.Params, quorum *daemon.Quorum) (*daemon.Group, failoverdStore) {
	group := daemon.NewGroup(tb, programs, p, quorum)
	var links [][]*Link
	all := func(do func(*kvserver.Link)) func() error {
		return func() error {
			for _, r := range group.Regions {
				do(r.Link)
			}
			return nil
		}
	}
	for _, r := range group.Regions {
		base, err := url.Parse(r.Link.BaseURL)
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
		l := NewLink(tb, base.Host)
		base.Host = l.Address
		r.Link.BaseURL = base.String()
		r.Configure(tb, "", "")
		r.Link.Stale(kvStale)
		links = append(links, []*Link{l})
	}
	return group, byLinks(links, all((*kvserver.Link).Hang), all((*kvserver.Link).Heal))
}

// onFile is a group on a directory, to which each region has a link of the file system. What is cut off answers with an error, as
// where a mount is gone.
func onFile(tb testing.TB, programs daemon.Binaries, p lease.Params, quorum *daemon.Quorum) (*daemon.Group, failoverdStore) {
	home := tb.TempDir()
	dir, gone := filepath.Join(home, "witness"), filepath.Join(home, "gone")
	way := func(region lease.Region) string { return filepath.Join(home, string(region)) }
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
	}
	must(os.Mkdir(dir, 0o700))
	for _, m := range p.Members {
		must(os.Symlink(dir, way(m)))
	}
	group := daemon.NewGroupOn(tb, programs, p, quorum, func(r *daemon.Region) string {
		return fmt.Sprintf("{type: file, staleness: 0s, file: {dir: %q}}", way(r.Name))
	})
	return group, failoverdStore{
		cut: func(region int) { must(os.Remove(way(p.Members[region]))) },
		heal: func(region int) {
			if err := os.Symlink(dir, way(p.Members[region])); !errors.Is(err, os.ErrExist) {
				must(err)
			}
		},
		slow:  func(int, time.Duration) { tb.Fatal("bench: a directory is not slow") },
		stop:  func() error { return os.Rename(dir, gone) },
		start: func() error { return os.Rename(gone, dir) },
	}
}
