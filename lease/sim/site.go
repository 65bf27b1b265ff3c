package sim

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// site is what the instances of a region share: its layers, and the record of which instance
// acts, both behind the API server of its cluster.
type site struct {
	layersOn bool   // some layer may be active
	term     uint64 // the highest that has ordered the layers anything
	epoch    uint64 // the highest that the layers bear
	record   lease.TermRecord
	down     int // the API server, counted
}

// cutOff reports whether an instance can't reach its API server.
func (r *region) cutOff() bool { return r.cutAPI > 0 || r.site.down > 0 }

// follows reports whether the instance leaves its region to another one.
func (r *region) follows() bool { return r.decision.State == lease.Follower }

// termOp is a read or a write of the record on its way: served once, at some time between
// sending and answer, or long after it was given up.
type termOp struct {
	from  *region
	life  uint64
	id    lease.ActionID
	write *lease.WriteTerm // nil for a read
	lost  bool             // its answer is
}

// askTerm sends a read or a write of the record on its way.
func (w *world) askTerm(r *region, op termOp) {
	op.from, op.life = r, r.life
	arrive := w.apiTrip()
	if r.cutOff() || r.cutTerm > 0 || w.lossy && w.rng.IntN(4) == 0 {
		switch w.rng.IntN(3) {
		case 0: // never arrives
			return
		case 1: // arrives late
			arrive = w.upTo(2 * (r.params.TTL + r.params.Staleness))
		}
		op.lost = true
		if !w.chaos {
			return
		}
	}
	w.schedule(happening{at: w.now.Add(arrive), kind: termServed, load: op})
}

// apiTrip is half the time that an API server takes to answer without a fault: far less than a
// term lasts.
func (w *world) apiTrip() time.Duration {
	return w.upTo(min(w.cfg.Faults.RoundTrip, w.cfg.Params.TermDuration/8) / 2)
}

// serveTerm carries a read or a write of the record out: it is linearizable.
func (w *world) serveTerm(op termOp) {
	record := &op.from.site.record
	var ev lease.Event
	switch {
	case op.write == nil && record.Beat == 0:
		ev = lease.TermRead{ID: op.id, Outcome: lease.ReadMissing}
	case op.write == nil:
		ev = lease.TermRead{ID: op.id, Outcome: lease.ReadFound, Record: *record}
	case op.write.After.Beat != record.Beat || op.write.After.Term != record.Term && record.Beat > 0:
		ev = lease.TermWritten{ID: op.id, Outcome: lease.TermRefused}
	default:
		*record = op.write.Record
		ev = lease.TermWritten{ID: op.id, Outcome: lease.TermAcked}
	}
	if !op.lost && op.from.life == op.life {
		op.from.answerIn(w.apiTrip(), ev)
	}
}

// order has the layers told something, if the API server can be reached and no later term has
// told them anything.
func (r *region) order(id lease.ActionID, epoch, term uint64, on bool, took time.Duration) {
	r.inForce = uint64(id)
	if on && !r.reaches(term) {
		return
	}
	if on {
		if epoch < r.site.epoch && !r.w.hidden {
			r.w.violation("layers: %s's refuse to be activated for epoch %d, as they bear epoch %d", r.name, epoch, r.site.epoch)
		}
		r.setLayers(true)
	}
	r.site.epoch = max(r.site.epoch, epoch)
	r.w.schedule(happening{at: r.w.now.Add(took), kind: layersDone, region: r.index, life: r.life, id: r.inForce, ok: on, load: term})
}

// reaches reports whether an order of a term gets through to the layers.
func (r *region) reaches(term uint64) bool {
	if r.cutOff() || term < r.site.term {
		return false
	}
	r.site.term = term
	return true
}

// layersDone ends an order of the layers, if it is still in force.
func (r *region) layersDone(h happening) {
	term := h.load.(uint64)
	switch {
	case h.id != r.inForce || term < r.site.term:
	case !r.reaches(term):
		h.at = r.w.now.Add(r.params.RetryInterval)
		r.w.schedule(h)
	case h.ok:
		r.deliver(lease.LayersActive{ID: lease.ActionID(h.id)})
	default:
		r.setLayers(false)
		r.deliver(lease.LayersFenced{ID: lease.ActionID(h.id)})
	}
}

// cutAPIFault has an instance, or all of its region, not reach the API server for a while.
func (w *world) cutAPIFault(r *region, d time.Duration) {
	cut := &r.cutAPI
	if w.rng.IntN(3) == 0 {
		cut = &r.site.down
	}
	*cut++
	w.trace("%s can't reach its API server for %v (all of them: %v)", r.name, d, cut == &r.site.down)
	w.disturb(r)
	w.mendIn(d, func() { *cut--; w.disturb(r) })
}

// disturb notes that the instances of a region were not free to act.
func (w *world) disturb(r *region) {
	for _, o := range w.regions {
		if o.number == r.number {
			o.disturbed = w.now
			o.observeStill()
		}
	}
}
