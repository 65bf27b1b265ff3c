package main

import "fmt"

// What §5 says: restarts, and the instances of a region.

// An instance is what an agent knows as one of several of its region.
type instance struct {
	term         uint64 // that it acts under
	until        int64  // it alone acts until then
	alone        bool   // no other one can hold authority for the region, in this term
	onRecord     int64  // an heir may prove authority up to here
	sameTerm     bool   // it acts in the term of the record that was there before
	record       termRecord
	recordReads  map[uint64]int64 // when each was sent
	recordWrites map[uint64]recordWrite
	readings     []reading
	kept         int64 // the deadline of what it held when it gave its term back; 0 if there was none
	keptTerm     uint64
	pledgedTo    map[pledgedTo]int64 // when it last did
}

// A reading is a read of the shared record: when it was sent, and what it showed.
type reading struct {
	sent int64
	beat uint64
}

type recordWrite struct {
	sent   int64
	record termRecord
}

// pledgedTo is a region to which one has pledged, in a term of that.
type pledgedTo struct {
	region string
	term   uint64
}

// forget ends what it knows as the one that acts.
func (i *instance) forget() {
	*i = instance{record: i.record, recordReads: i.recordReads, recordWrites: map[uint64]recordWrite{}, kept: i.kept, keptTerm: i.keptTerm, pledgedTo: map[pledgedTo]int64{}}
	if i.recordReads == nil {
		i.recordReads = map[uint64]int64{}
	}
}

// keep remembers what it holds as it gives its term back, which it may take up again.
func (a *agent) keep(reason string) {
	a.kept = 0
	if reason == "resigned" && a.stands() {
		a.kept, a.keptTerm = a.deadline, a.term
	}
}

// lead begins its term, if the region has any.
func (a *agent) lead() {
	for _, m := range a.p.others() {
		a.pledgedTo[pledgedTo{m, 0}] = a.now // the own start counts as one
	}
	if a.p.Instance == "" {
		return
	}
	a.term, a.alone = a.record.Term, false
	if a.record.Base != (termBase{}) {
		a.onRecord = a.now + a.p.longer(a.p.TTL)
	}
}

// termRead takes a read of the shared record in.
func (a *agent) termRead(ev termReadEvent) {
	sent, is := a.recordReads[ev.ID]
	delete(a.recordReads, ev.ID)
	if !is || ev.Outcome == readUnknown || a.now > sent+a.p.TermDuration/2 {
		return
	}
	if ev.Outcome == readMissing {
		ev.Record = a.record
		ev.Record.Beat, ev.Record.Base = 0, termBase{}
	}
	if ev.Record.Beat < a.record.Beat {
		a.readings = nil // somebody has removed it: what was read before proves nothing
	}
	a.record = ev.Record
	a.saw(a.region, max(a.record.Epoch, a.record.Base.Epoch))
	if a.state != follower {
		return
	}
	if a.record.Term != a.keptTerm || a.record.Beat == 0 {
		a.kept = 0
	}
	for len(a.readings) > 0 && a.readings[0].sent+a.p.TTL <= a.now {
		a.readings = a.readings[1:]
	}
	a.readings = append(a.readings, reading{sent, a.record.Beat})
}

// writesTerm is a write of the shared record.
func (a *agent) writesTerm(act termWriteAction) {
	a.recordWrites[act.ID] = recordWrite{a.now, act.Record}
	if act.Record.Base != (termBase{}) && a.held {
		a.onRecord = max(a.onRecord, a.deadline-a.p.TTL+a.p.longer(a.p.TTL))
	}
}

// termWritten takes the outcome of that in. One that comes late is of no use.
func (a *agent) termWritten(ev termWrittenEvent) {
	w, is := a.recordWrites[ev.ID]
	delete(a.recordWrites, ev.ID)
	if !is || ev.Outcome != termAcked || a.now > w.sent+a.p.TermDuration/2 {
		return
	}
	a.sameTerm = a.record.Term == w.record.Term
	a.record = w.record
	if a.record.Base == (termBase{}) {
		a.onRecord = 0
	}
	if a.record.Holder == a.p.Instance {
		a.until = w.sent + a.p.TermDuration
	}
}

// judgeAlone notes when no other instance can hold authority: none is on record, or the own flag, read since, has shown
// no sign of one for longer(TTL + staleness).
func (a *agent) judgeAlone() {
	if a.p.Instance == "" || a.state == follower || a.term == 0 || a.alone {
		return
	}
	silent := 0
	for _, w := range a.at {
		if w.own >= a.evidence[a.region]+a.p.longer(a.p.TTL+w.bound) {
			silent++
		}
	}
	a.alone = len(a.record.MayHold) == 0 || silent >= a.majority()
}

// confirmed reports whether it knows that it alone acts for the region.
func (a *agent) confirmed() bool { return a.p.Instance == "" || a.now < a.until }

func (a *agent) wantConfirmed(confirmed bool, what string) {
	if a.p.Instance != "" {
		a.c.want(confirmed, "confirmed", a.name, func() string {
			return fmt.Sprintf("it %s at %d, and knew that it alone acts until %d", what, a.now, a.until)
		})
	}
}

func (a *agent) wantCleared(what string) {
	if a.p.Instance != "" {
		a.c.want(a.now >= a.onRecord, "record-cleared", a.name, func() string {
			return fmt.Sprintf("it %s at %d, and by the record another instance may prove authority until %d", what, a.now, a.onRecord)
		})
	}
}

// resume is an agent that goes on with authority that was there before it acted, until a deadline.
func (a *agent) resume(act orderAction) {
	a.c.resumptions++
	proved, name := a.saved.Deadline, "resumed"
	if a.saved.BootID != a.boot || a.saved.Epoch != act.Epoch || a.p.Instance != "" && a.saved.Term != a.term {
		proved = never
	}
	if a.begins == "inherited" {
		name, proved = "inherited", a.kept
		for _, r := range a.readings {
			if r.beat < a.record.Base.After {
				proved = max(proved, r.sent+a.p.TTL)
			}
		}
	}
	a.c.want(act.Deadline <= proved && a.now < proved, name, a.name, func() string {
		return fmt.Sprintf("it goes on with authority for epoch %d until %d; what it has found proves it until %s", act.Epoch, act.Deadline, told(proved))
	})
	if name == "resumed" && act.Deadline > a.before {
		a.c.trusted++
		a.c.want(!a.c.complete, "resumed", a.name, func() string {
			return fmt.Sprintf("what it has found on disk lasts until %d; it had authority until %s", act.Deadline, told(a.before))
		})
	}
	a.hold(act.Deadline)
}
