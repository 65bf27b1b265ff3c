package sim

import "time"

// cut cuts a region off from the witness, its reads, its writes or both.
func (w *world) cut(r *region, d time.Duration) {
	which := w.rng.IntN(4)
	w.trace("%s is cut off for %v (%s)", r.name, d, [4]string{"reads", "writes", "both", "both"}[which])
	if which != 1 {
		r.cutReads++
		w.mendIn(d, func() { r.cutReads-- })
	}
	if which != 0 {
		r.cutWrites++
		w.mendIn(d, func() { r.cutWrites-- })
	}
}

// witnessFault has one of several witnesses be down, for all or for a region.
func (w *world) witnessFault(r *region, d time.Duration) {
	i := w.rng.IntN(len(w.stores))
	count, who := &w.stores[i].down, "anybody"
	if w.rng.IntN(2) == 0 {
		count, who = &w.stores[i].cut[r.number], r.name
	}
	w.trace("witness %d can't be reached by %s for %v", i, who, d)
	*count++
	w.mendIn(d, func() { *count-- })
}

// outvote leaves region 0 too few witnesses: most do not take what it writes, or show it nothing, or it writes to most and
// reads most, but not the same.
func (w *world) outvote() {
	n := len(w.stores)
	few := n / 2 // that it has
	how := w.rng.IntN(3)
	w.trace("region 0 has too few witnesses (%s)", [3]string{"writes", "reads", "both"}[how])
	for i, s := range w.stores {
		s.noWrites[0] = how == 0 && i >= few || how == 2 && i < few
		s.noReads[0] = how == 1 && i >= few || how == 2 && i >= n-few
	}
}
