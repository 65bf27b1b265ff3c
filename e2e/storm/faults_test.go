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

// A fault is under way until it is ended.
type fault struct {
	kind  string
	from  lease.Instant
	until lease.Instant
	end   func()
}

// kinds are the faults that there are. Each begins one, and returns what ends it; nil if there is nothing that it could be done
// to now.
var kinds = []struct {
	name    string
	longest time.Duration
	begin   func(*world) (what string, end func())
}{
	{"killed", 20 * time.Second, (*world).kill},
	{"killed, started at once", 0, (*world).kill},
	{"frozen", 30 * time.Second, (*world).freeze},
	{"frozen", 30 * time.Second, (*world).freeze}, // twice, as it is the hardest for safety
	{"stopped", 10 * time.Second, (*world).stop},
	{"rolling restart", 0, (*world).roll},
	{"region killed", 25 * time.Second, (*world).killRegion},
	{"region frozen", 30 * time.Second, (*world).freezeRegion},
	{"cut off from the witness", 40 * time.Second, func(w *world) (string, func()) { return w.cut(witness) }},
	{"cut off from its API server", 40 * time.Second, func(w *world) (string, func()) { return w.cut(apiServer) }},
	{"cut off from the resolvers", 40 * time.Second, func(w *world) (string, func()) { return w.cut(resolving...) }},
	{"cut off from all", 40 * time.Second, func(w *world) (string, func()) { return w.cut(places...) }},
	{"refused by the witness", 30 * time.Second, func(w *world) (string, func()) { return w.refuse(witness) }},
	{"refused by its API server", 30 * time.Second, func(w *world) (string, func()) { return w.refuse(apiServer) }},
	{"region cut off from the witness", 30 * time.Second, func(w *world) (string, func()) { return w.cutRegion(witness) }},
	{"region cut off from its API server", 30 * time.Second, func(w *world) (string, func()) { return w.cutRegion(apiServer) }},
	{"region cut off from all", 30 * time.Second, func(w *world) (string, func()) { return w.cutRegion(places...) }},
	{"witness down", 30 * time.Second, (*world).witnessDown},
	{"witness stale", time.Minute, (*world).witnessStale},
	{"resolvers meddle", 40 * time.Second, (*world).meddle},
	{"API server frozen", 20 * time.Second, (*world).freezeAPIServer},
	{"API server killed", 20 * time.Second, (*world).killAPIServer},
	{"bad network", 30 * time.Second, (*world).spoilAll},
	{"disk full", 40 * time.Second, (*world).fillDisk},
	{"wall clock set", time.Minute, (*world).setClock},
}

// draw begins a fault.
func (w *world) draw() {
	k, from := pick(w, kinds), now()
	what, end := k.begin(w)
	if end == nil {
		return
	}
	f := &fault{kind: k.name, from: from, until: now().Add(w.upTo(k.longest)), end: end}
	w.say("%s: %s, for %.1f s", k.name, what, f.until.Sub(now()).Seconds())
	w.faults = append(w.faults, f)
}

// mend ends the faults that are over, or all.
func (w *world) mend(all bool) {
	var left []*fault
	for _, f := range w.faults {
		if !all && now() < f.until {
			left = append(left, f)
			continue
		}
		f.end()
		w.past[f.kind] = append(w.past[f.kind], Span{f.from, now()})
		w.say("over: %s", f.kind)
	}
	w.faults = left
}

// anyAlive is an instance that runs, one that acts if there is one, more often than not.
func (w *world) anyAlive() *instance {
	var alive, acting []*instance
	for _, i := range w.instances {
		if !i.alive() {
			continue
		}
		alive = append(alive, i)
		if claims, _ := i.sample.seen(); len(claims) > 0 && claims[len(claims)-1].Epoch > 0 {
			acting = append(acting, i)
		}
	}
	switch {
	case len(alive) == 0:
		return nil
	case len(acting) > 0 && w.random.IntN(3) > 0:
		return pick(w, acting)
	}
	return pick(w, alive)
}

// region is the instances of a region that is drawn.
func (w *world) region() (all []*instance) {
	number := w.anyNumber()
	for _, i := range w.instances {
		if i.number == number {
			all = append(all, i)
		}
	}
	return all
}

func (w *world) anyNumber() int {
	if i := w.anyAlive(); i != nil {
		return i.number
	}
	return 1 + w.random.IntN(len(w.params.Members))
}

// spared is an instance that is frozen and cut off like any other, but lives from the beginning to the end: what it takes is
// weighed.
func (w *world) spared() *instance { return w.instances[len(w.instances)-1] }

func (w *world) kill() (string, func()) {
	i := w.anyAlive()
	if i == nil || i == w.spared() {
		return "", nil
	}
	w.killOne(i)
	return i.String(), func() { w.start(i) }
}

func (w *world) killOne(i *instance) {
	i.still()
	must(w.t, i.Process().Kill())
}

func (w *world) killRegion() (string, func()) {
	all := w.region()
	var dead []*instance
	for _, i := range all {
		if i.alive() && i != w.spared() {
			w.killOne(i)
			dead = append(dead, i)
		}
	}
	return string(all[0].Name), func() {
		for _, i := range dead {
			w.start(i)
		}
	}
}

func (w *world) freeze() (string, func()) {
	i := w.anyAlive()
	if i == nil {
		return "", nil
	}
	w.freezeOne(i)
	return i.String(), func() { w.thaw(i) }
}

func (w *world) freezeOne(i *instance) {
	must(w.t, i.Process().Freeze(w.t.Context()))
	i.still()
	i.frozen = true
}

func (w *world) thaw(i *instance) {
	i.record.Still[len(i.record.Still)-1].To = now()
	must(w.t, i.Process().Thaw())
	i.frozen = false
}

func (w *world) freezeRegion() (string, func()) {
	all := w.region()
	var frozen []*instance
	for _, i := range all {
		if i.alive() {
			w.freezeOne(i)
			frozen = append(frozen, i)
		}
	}
	return string(all[0].Name), func() {
		for _, i := range frozen {
			w.thaw(i)
		}
	}
}

// stop asks an instance to stop; if that takes too long, because it is cut off, it is killed.
func (w *world) stop() (string, func()) {
	i := w.anyAlive()
	if i == nil || i == w.spared() {
		return "", nil
	}
	w.stopOne(i)
	return i.String(), func() { w.start(i) }
}

func (w *world) stopOne(i *instance) {
	must(w.t, i.Process().Terminate())
	deadline := now().Add(5 * time.Second)
	for i.Process().Running() && now() < deadline {
		w.wait(20 * time.Millisecond)
	}
	w.killOne(i)
}

// roll restarts the instances of a region one after the other.
func (w *world) roll() (string, func()) {
	all := w.region()
	for _, i := range all {
		if i.alive() && i != w.spared() {
			w.stopOne(i)
			w.start(i)
		}
	}
	return string(all[0].Name), func() {}
}

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

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.t.Context().Done():
	}
}
