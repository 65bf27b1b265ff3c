package sim

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// pendingRound is a round on its way: sampled when it is served, unless it was
// when it was sent.
type pendingRound struct {
	lease.RoundRead
	sent  Time
	infos bool
}

// trip is the time that an answer takes without a fault.
func (w *world) trip() time.Duration {
	return w.upTo(w.cfg.Faults.RoundTrip)
}

// write sends a write of the own flag on its way. It lands, or lands and its
// answer is lost, or is lost, or lands minutes late: at most once.
func (w *world) write(r *region, a lease.WriteFlag) {
	rec := record{present: true, garbled: r.garbling > 0, flag: a.Flag, witness: a.Witness}
	timeout := r.params.RequestTimeout
	unknown := lease.FlagWritten{ID: a.ID}
	lost := w.lossy && w.rng.IntN(3) == 0
	if r.cutWrites > 0 || w.down || lost || !w.stores[a.Witness].takes(r.number) {
		switch w.rng.IntN(4) {
		case 0: // never arrives
		case 1: // lands right after a later write of the same region
			if w.chaos {
				reg := &w.stores[a.Witness].flags[r.number]
				reg.held = append(reg.held, rec)
			}
		case 2: // lands some time later
			if w.chaos {
				late := timeout + w.upTo(3*(r.params.TTL+r.params.Staleness))
				w.schedule(happening{at: w.now.Add(late), kind: landing, region: r.index, ok: true, load: rec})
			}
		case 3: // arrives in time, if there is a way; only its answer is lost
			if lost {
				w.schedule(happening{at: w.now.Add(w.upTo(timeout)), kind: landing, region: r.index, load: rec})
			}
		}
		wait := timeout
		if w.rng.IntN(2) == 0 {
			wait = w.trip() // refused at once
		}
		r.answerIn(wait, unknown)
		return
	}
	arrive := w.trip() / 2
	back := w.trip() / 2
	if w.lossy && w.rng.IntN(3) == 0 {
		back = w.upTo(2 * timeout) // slow to answer
	}
	r.wrote = w.now
	w.schedule(happening{at: w.now.Add(arrive), kind: landing, region: r.index, load: rec})
	r.answerIn(arrive+back, lease.FlagWritten{ID: a.ID, Acked: true})
}

// readRound sends a round of reads on its way. They are served at some time
// between sending and answer.
func (w *world) readRound(r *region, a lease.ReadRound) {
	p := pendingRound{RoundRead: lease.RoundRead{ID: a.ID, Witness: a.Witness}, sent: w.now, infos: a.Infos}
	wait := w.trip()
	if w.lossy && w.rng.IntN(3) == 0 {
		wait = w.upTo(2 * r.params.RequestTimeout)
	}
	if w.rng.IntN(2) == 0 { // served at once, answered later
		r.answerIn(wait, r.serve(p))
		return
	}
	r.answerIn(wait, p)
}

// serve reads the registers for a round.
func (r *region) serve(p pendingRound) lease.RoundRead {
	w := r.w
	s := w.stores[p.Witness]
	n := len(s.flags)
	p.Flags = make([]lease.FlagRead, n)
	if p.infos {
		p.Infos = make([]lease.InfoRead, n)
	}
	for j := range n {
		if r.cutReads > 0 || w.down && w.rng.IntN(8) > 0 || w.lossy && w.rng.IntN(6) == 0 || !s.shows(r.number) {
			continue // unknown; caches went on serving through outages, at times
		}
		p.Flags[j] = s.read(r.number, j, false, p.sent, w.now).flagRead()
		if p.infos {
			p.Infos[j] = s.read(r.number, j, true, p.sent, w.now).infoRead()
		}
	}
	return p.RoundRead
}
