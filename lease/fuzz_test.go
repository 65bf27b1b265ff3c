package lease_test

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// FuzzStep tells a region anything in any order: answers to what it asked, late ones,
// answers to nothing, records of any kind, freezes. It is never driven
// illegally by that, and never claims more than its acknowledged writes give.
func FuzzStep(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x04\x00\x05\x04\x02\x28\x02\x04\x01\x04\x03\x64\x02\x0a\x01"))
	f.Add([]byte("\x00\x0e\x50\x00\x50\x12\x04\x12\x04\x32\x50\x12\x04\x32\x10\x17\x20\x19"))
	f.Add([]byte("\xff\x01\x20\x12\x08\x13\x40\x22\x80\x31\x00\x06\x10\x07"))
	f.Fuzz(func(t *testing.T, story []byte) {
		z := fuzzer{t: t, now: epochOfClock, byID: map[lease.ActionID]lease.Action{}, sent: map[lease.ActionID]lease.Instant{}}
		p := defaults()
		p.Members, p.Quorum = []lease.Region{"b", "a", "c"}, true
		z.p, z.s = p, lease.New(p).Strict()
		saved := lease.Authority{Epoch: 7, Deadline: epochOfClock.Add(20 * time.Second), BootID: "boot", Safety: lease.SafetyHash(p.Safety())}
		if len(story) > 0 && story[0]&1 == 0 {
			saved = lease.Authority{}
		}
		z.until = saved.Deadline
		z.step(lease.Start{Incarnation: 1, BootID: "boot", Saved: saved})
		for len(story) >= 2 && !t.Failed() {
			// Up to 3s, or with the highest bit up to 3 minutes.
			pause := time.Duration(story[0]&0x7f) * 25 * time.Millisecond
			if story[0]&0x80 != 0 {
				pause *= 60
			}
			z.now = z.now.Add(pause)
			z.step(z.event(story[1]))
			story = story[2:]
		}
	})
}

type fuzzer struct {
	t     *testing.T
	p     lease.Params
	s     *lease.State
	now   lease.Instant
	last  lease.ActionID // of all actions so far
	byID  map[lease.ActionID]lease.Action
	sent  map[lease.ActionID]lease.Instant
	until lease.Instant // the latest deadline that saved authority, an acknowledged write or pledges can have given
	words int           // of an operator, that a region is fenced
	seq   uint64        // of records of others
}

// event is what the low five bits of b name, about the action that the high ones count
// back to.
func (z *fuzzer) event(b byte) lease.Event {
	id := z.last - min(z.last, lease.ActionID(b>>5))
	switch b & 0x1f {
	case 0:
		return lease.LayersFenced{ID: id}
	case 1:
		return lease.LayersActive{ID: id}
	case 2, 3, 4:
		if _, ok := z.byID[id].(lease.WriteFlag); ok {
			z.until = max(z.until, z.sent[id].Add(z.p.TTL))
		}
		return lease.FlagWritten{ID: id, Acked: true}
	case 5:
		return lease.FlagWritten{ID: id}
	case 6:
		return lease.AuthoritySaved{ID: id, OK: true}
	case 7:
		return lease.AuthoritySaved{ID: id}
	case 8:
		return lease.InfoWritten{ID: id, Acked: b>>5&1 == 0}
	case 9:
		return lease.Release{}
	case 10, 11, 12, 13:
		return z.round(id, b)
	case 15, 16, 17:
		z.seq++
		q := lease.Question{Verb: lease.VerbPledge, Epoch: z.seq / 4, Authority: b&0x1f == 17, HandOver: b>>5 == 3, Safety: lease.SafetyHash(z.p.Safety())}
		if b&0x1f == 15 {
			q.Verb = lease.VerbStatus
		}
		return lease.Asked{ID: z.seq, From: z.p.Members[2*(b>>5&1)], Question: q}
	case 18, 19, 20, 21, 22:
		return z.answered(id, b)
	case 23:
		return lease.HandOver{To: z.p.Members[b>>5&3%3]}
	case 14:
		return lease.Health{Degraded: b>>5&1 == 0}
	case 24:
		z.words++
		return lease.Takeover{Fenced: z.p.Members[b>>5&3%3], Until: z.now.Add(time.Second)}
	}
	return lease.Tick{}
}

// answered is an answer to a question, and what it may have given.
func (z *fuzzer) answered(id lease.ActionID, b byte) lease.Event {
	ask, ok := z.byID[id].(lease.Ask)
	if !ok {
		ask = lease.Ask{ID: id, To: "c"}
	}
	ev := lease.Answered{ID: ask.ID, From: ask.To, Reached: true}
	ev.Answer = lease.Answer{State: lease.Standby, Safety: lease.SafetyHash(z.p.Safety())}
	switch b & 0x1f {
	case 18, 19:
		ev.Answer.Granted, ev.Answer.Degraded, ev.Answer.Behind = true, b>>5 == 0, b>>5 == 1
		z.until = max(z.until, z.sent[id].Add(z.p.TTL))
	case 20:
		ev.Answer.Why, ev.Answer.Epoch = lease.RefusedEpoch, z.seq
	case 21:
		ev.Answer.Authority, ev.Answer.State, ev.Answer.Epoch, ev.Answer.Remaining = true, lease.Active, z.seq, 20*time.Second
	case 22:
		ev.Reached, ev.CutOff = false, b>>5&1 == 0
	}
	return ev
}

func (z *fuzzer) round(id lease.ActionID, b byte) lease.Event {
	ev := lease.RoundRead{ID: id, Flags: make([]lease.FlagRead, 3)}
	for j := range ev.Flags {
		ev.Flags[j].Outcome = lease.ReadMissing
	}
	switch z.seq++; b & 0x1f {
	case 11:
		ev.Flags[int(z.seq)%3] = lease.FlagRead{Outcome: lease.ReadFound, Flag: lease.Flag{
			State: lease.FlagActive, Epoch: z.seq, WriteID: lease.NewWriteID(9, z.seq)}}
	case 12:
		ev.Flags[int(z.seq)%3] = lease.FlagRead{Outcome: lease.ReadMalformed, Flag: lease.Flag{WriteID: lease.NewWriteID(9, z.seq)}}
	case 13:
		ev.Flags[int(z.seq)%3] = lease.FlagRead{}
	}
	// The own flag as it was written last, so that it can take.
	for i := z.last; i > 0; i-- {
		if w, ok := z.byID[i].(lease.WriteFlag); ok && ev.Flags[1].Outcome == lease.ReadMissing {
			ev.Flags[1] = lease.FlagRead{Outcome: lease.ReadFound, Flag: w.Flag}
			break
		}
	}
	if r, ok := z.byID[id].(lease.ReadRound); ok && r.Infos {
		ev.Infos = make([]lease.InfoRead, 3)
		for j := range ev.Infos {
			ev.Infos[j] = lease.InfoRead{Outcome: lease.ReadFound, Info: lease.Info{Safety: z.p.Safety()}}
		}
	}
	return ev
}

// step takes one step and checks what must hold after every one.
func (z *fuzzer) step(ev lease.Event) {
	actions, d := z.s.Step(z.now, ev)
	for _, a := range actions {
		var id lease.ActionID
		switch a := a.(type) {
		case lease.WriteFlag:
			id = a.ID
			if active := a.Flag.State == lease.FlagActive; active != d.Authority || !active && d.State != lease.Candidate {
				z.t.Errorf("writes the flag %q as %s with authority %v", a.Flag.State, d.State, d.Authority)
			}
		case lease.ReadRound:
			id = a.ID
		case lease.WriteInfo:
			id = a.ID
		case lease.Ask:
			id = a.ID
			if z.words > 1 { // there may be nobody whose pledge is waited for
				z.until = max(z.until, z.now.Add(z.p.TTL))
			}
		case lease.Reply:
			if a.Answer.Granted && (d.Authority || !d.LayersFenced) {
				z.t.Errorf("grants a pledge with authority %v, layers fenced %v", d.Authority, d.LayersFenced)
			}
		case lease.SaveAuthority:
			id = a.ID
			if a.Authority.Deadline > max(z.until, z.now) { // one that has ended is none
				z.t.Errorf("saves authority until %d, acknowledged writes give it until %d", a.Authority.Deadline, z.until)
			}
		case lease.Fence:
			id = a.ID
		case lease.Activate:
			id = a.ID
			if !d.Authority || d.State != lease.Active || a.Deadline > z.until {
				z.t.Errorf("activates until %d as %s with authority %v, until %d by its writes", a.Deadline, d.State, d.Authority, z.until)
			}
		}
		if id > 0 {
			z.last, z.byID[id], z.sent[id] = max(z.last, id), a, z.now
		}
	}
	switch {
	case d.Authority && (z.now >= d.Deadline || d.Deadline > z.until || d.Epoch == 0):
		z.t.Errorf("at %d: authority for epoch %d until %d, by its writes until %d", z.now, d.Epoch, d.Deadline, z.until)
	case d.State == lease.Active && (!d.Authority || z.now >= d.FenceAt):
		z.t.Errorf("at %d: active with authority %v, fencing is due at %d", z.now, d.Authority, d.FenceAt)
	case d.Wake <= z.now:
		z.t.Errorf("at %d: wakes at %d: a loop", z.now, d.Wake)
	}
}
