package chaos

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/durableobject"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/s3"
	"github.com/openova-io/failoverd/lease"
)

// A witness makes a group on a store, and has one of its regions be told of its requests.
type witness func(*testing.T, daemon.Binaries, lease.Params) (group *daemon.Group, watch func(*region))

// witnesses are those that there are, by their type.
var witnesses = map[string]witness{"cloudflare-kv": onKV, "durable-object": onDurableObject, "etcd": onEtcd, "file": onFile, "s3": onS3}

func onKV(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*region)) {
	return daemon.NewGroup(t, binaries, params, nil), func(r *region) { r.Link.Watch(r.watch) }
}

// onDurableObject has a link to the Worker for each region.
func onDurableObject(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*region)) {
	srv := durableobject.Start(t, durableobject.Options{})
	links := map[lease.Region]*durableobject.Link{}
	for _, name := range params.Members {
		links[name] = srv.Link(t)
	}
	group := daemon.NewGroupOn(t, binaries, params, nil, func(r *daemon.Region) string { return srv.Witness(links[r.Name].URL) })
	return group, func(r *region) { links[r.Name].Watch(r.watch) }
}

// onEtcd has three members, and a link to them for each region.
func onEtcd(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*region)) {
	cluster := etcd.Start(t, 3)
	links := map[lease.Region]*etcd.Link{}
	for _, name := range params.Members {
		links[name] = cluster.Link(t)
	}
	group := daemon.NewGroupOn(t, binaries, params, nil, func(r *daemon.Region) string {
		return fmt.Sprintf("{type: etcd, staleness: 0s, etcd: {endpoints: [%q]}}", links[r.Name].URL)
	})
	return group, func(r *region) { links[r.Name].Watch(r.watch) }
}

// onS3 has a link to versitygw for each region.
func onS3(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*region)) {
	srv := s3.Start(t)
	links := map[lease.Region]*s3.Link{}
	for _, name := range params.Members {
		links[name] = srv.Link(t)
	}
	group := daemon.NewGroupOn(t, binaries, params, nil, func(r *daemon.Region) string { return s3.Section(t, r, links[r.Name].Config) })
	return group, func(r *region) { links[r.Name].Watch(r.watch) }
}

// onFile has the regions share a directory. No link leads to it, so a write is seen when it has landed: it had begun when its content
// was written, which the file bears by a clock that ticks every few milliseconds.
func onFile(t *testing.T, binaries daemon.Binaries, params lease.Params) (*daemon.Group, func(*region)) {
	const tick = 10 * time.Millisecond
	dir := t.TempDir()
	group := daemon.NewGroupOn(t, binaries, params, nil, func(*daemon.Region) string {
		return fmt.Sprintf("{type: file, staleness: 0s, file: {dir: %q}}", dir)
	})
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	regions := map[lease.Region]*region{}
	landed := func(path string) {
		seen, at := now(), time.Now()
		info, err := os.Stat(path)
		content, readErr := os.ReadFile(path)
		key, nameErr := url.PathUnescape(filepath.Base(path)) // package file escapes as URLs do
		if err := errors.Join(err, readErr, nameErr); err != nil {
			t.Errorf("a file of the witness: %v", err)
			return
		}
		req := kvserver.Request{Method: http.MethodPut, Key: key, Value: content}
		flag, of, ok := daemon.FlagIn(req)
		if !ok {
			return
		}
		mu.Lock()
		r := regions[of]
		mu.Unlock()
		r.wrote(flag, min(seen, seen.Add(tick-at.Sub(info.ModTime()))), seen)
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		for e := range watcher.Events {
			if e.Has(fsnotify.Create) && !strings.HasPrefix(filepath.Base(e.Name), ".") {
				landed(e.Name)
			}
		}
	})
	t.Cleanup(func() {
		watcher.Close()
		watching.Wait()
	})
	return group, func(r *region) {
		mu.Lock()
		defer mu.Unlock()
		regions[r.Name] = r
	}
}
