package storm

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/relay"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// cut cuts an instance off from places: both ways, or one.
func (w *world) cut(from ...place) (string, func()) {
	i := w.anyAlive()
	if i == nil {
		return "", nil
	}
	way := w.random.IntN(4) // half of the time both
	return fmt.Sprintf("%v, %s", i, []string{"both ways", "both ways", "there", "back"}[way]), w.cutOne(i, way, from...)
}

func (w *world) cutOne(i *instance, way int, from ...place) (end func()) {
	dead := relay.Path{Loss: 1}
	var ends []func()
	for _, p := range from {
		if way != 3 {
			ends = append(ends, w.network.spoil(i.address, p.address(i.number), dead))
		}
		if way != 2 {
			ends = append(ends, w.network.spoil(p.address(i.number), i.address, dead))
		}
		if p == apiServer {
			ends = append(ends, i.blind())
		}
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// refuse has a place refuse what an instance sends to it.
func (w *world) refuse(by place) (string, func()) {
	i := w.anyAlive()
	if i == nil {
		return "", nil
	}
	mend := w.network.refuse(i.String(), by.address(i.number))
	if mend == nil {
		return "", nil
	}
	ends := []func(){mend}
	if by == apiServer {
		ends = append(ends, i.blind())
	}
	return i.String(), func() {
		for _, end := range ends {
			end()
		}
	}
}

// blind notes that an instance can't reach its API server from now on.
func (i *instance) blind() (end func()) {
	n := len(i.record.Blind)
	i.record.Blind = append(i.record.Blind, Span{now(), lease.Never})
	return func() { i.record.Blind[n].To = now() }
}

func (w *world) cutRegion(from ...place) (string, func()) {
	all := w.region()
	var ends []func()
	for _, i := range all {
		ends = append(ends, w.cutOne(i, 0, from...))
	}
	return string(all[0].Name), func() {
		for _, end := range ends {
			end()
		}
	}
}

// witnessDown has the witness answer nobody: by silence, or by resetting connections.
func (w *world) witnessDown() (string, func()) {
	refuses := w.random.IntN(2) == 0
	for _, i := range w.instances {
		if refuses {
			i.Link.Refuse()
		} else {
			i.Link.Hang()
		}
	}
	return map[bool]string{true: "refuses", false: "hangs"}[refuses], func() {
		for _, i := range w.instances {
			i.Link.Heal()
		}
	}
}

// witnessStale has an instance read what was there a while ago, within the bound that it is told.
func (w *world) witnessStale() (string, func()) {
	i := pick(w, w.instances)
	d := time.Duration(w.random.Float64() * 0.9 * float64(w.params.Staleness))
	i.Link.Stale(d)
	return fmt.Sprintf("%v, by %.1f s", i, d.Seconds()), func() { i.Link.Stale(0) }
}

// setClock sets an instance's wall clock forward or back, if it has one of its own.
func (w *world) setClock() (string, func()) {
	i := pick(w, w.instances)
	if i.clock == nil {
		return "", nil
	}
	by := time.Duration(w.random.IntN(2*24*365)-24*365) * time.Hour
	i.clock.Set(w.t, by)
	return fmt.Sprintf("%v by %v", i, by), func() { i.clock.Set(w.t, 0) }
}

// meddle has one or two resolvers lie, or fail.
func (w *world) meddle() (string, func()) {
	does := pick(w, []resolvers.Meddling{resolvers.Drops, resolvers.Refuses, resolvers.Slow, resolvers.Elsewhere, resolvers.StripsTXT,
		resolvers.ChangesCase, resolvers.Replays, resolvers.ServFails, resolvers.Truncates})
	order, count := w.random.Perm(3), 1+w.random.IntN(2)
	for _, k := range order[:count] {
		w.ways[k].Set(does)
	}
	return fmt.Sprintf("%d %s", count, does), func() {
		for _, k := range order[:count] {
			w.ways[k].Set(resolvers.Honest)
		}
	}
}

// freezeAPIServer has a region's API server answer nobody, and killAPIServer has it refuse everybody; etcd goes on.
func (w *world) freezeAPIServer() (string, func()) {
	return w.apiServerOut((*controlplane.Plane).FreezeAPIServer, (*controlplane.Plane).ThawAPIServer)
}

func (w *world) killAPIServer() (string, func()) {
	return w.apiServerOut((*controlplane.Plane).KillAPIServer, (*controlplane.Plane).StartAPIServer)
}

// apiServerOut has one API server at a time do something, until something else.
func (w *world) apiServerOut(begin, end func(*controlplane.Plane, testing.TB)) (string, func()) {
	n := w.anyNumber()
	if w.outage {
		return "", nil
	}
	w.outage = true
	begin(w.planes[n-1], w.t)
	var ends []func()
	for _, i := range w.instances {
		if i.number == n {
			ends = append(ends, i.blind())
		}
	}
	return string(w.params.Members[n-1]), func() {
		end(w.planes[n-1], w.t)
		w.outage = false
		for _, end := range ends {
			end()
		}
	}
}

// spoilAll makes the whole network bad: packets are late, overtake each other, come twice, or not at all.
func (w *world) spoilAll() (string, func()) {
	p := relay.Path{Delay: w.upTo(100 * time.Millisecond), Jitter: w.upTo(400 * time.Millisecond), Duplicate: w.random.Float64() / 2, Loss: w.random.Float64() / 5}
	var ends []func()
	for _, i := range w.instances {
		for _, at := range places {
			ends = append(ends, w.network.spoil(i.address, at.address(i.number), p), w.network.spoil(at.address(i.number), i.address, p))
		}
	}
	return fmt.Sprintf("%.0f to %.0f ms late, %.0f %% twice, %.0f %% lost", p.Delay.Seconds()*1000, (p.Delay+p.Jitter).Seconds()*1000, 100*p.Duplicate, 100*p.Loss), func() {
		for _, end := range ends {
			end()
		}
	}
}

// fillDisk takes all room from an instance's disk.
func (w *world) fillDisk() (string, func()) {
	i := w.anyAlive()
	if i == nil {
		return "", nil
	}
	path := filepath.Join(i.StateDir(), "ballast")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", nil // it is full already
	}
	i.filled = true
	block := make([]byte, 4<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	file.Close()
	return i.String(), func() { must(w.t, os.Remove(path)) }
}

// smallDisk gives an instance a disk of its own that can be filled.
func (w *world) smallDisk(i *instance) {
	w.t.Helper()
	must(w.t, os.MkdirAll(i.StateDir(), 0o700))
	must(w.t, syscall.Mount("none", i.StateDir(), "tmpfs", 0, "size=32m,mode=0700"))
	w.t.Cleanup(func() { must(w.t, syscall.Unmount(i.StateDir(), syscall.MNT_DETACH)) })
}
