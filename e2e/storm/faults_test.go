package storm

import (
	"time"

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

// wait lets time pass.
func (w *world) wait(d time.Duration) {
	select {
	case <-time.After(d):
	case <-w.t.Context().Done():
	}
}
