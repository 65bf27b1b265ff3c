package lease_test

import (
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// three is a region a of (a, b), or of (a, b, c), with three witnesses, x, y and z, whose other members are silent. What
// each witness does may change at any time.
type three struct {
	p     lease.Params
	now   lease.Instant
	state *lease.State
	queue []later
	x     [3]struct {
		noReads, noWrites bool
		noOwn             bool           // reads of the own flag return nothing
		own               lease.FlagRead // the own register
		infos             []lease.InfoRead
	}
	decision lease.Decision
	told     []string // transitions and requests for approval
}

// later is what the region is told at some time.
type later struct {
	at lease.Instant
	ev lease.Event
}

const answerTime = 100 * time.Millisecond

// newThree is one that starts when time first passes; change, if not nil, does so to its parameters. Reads of the first
// witness may be as stale as the group's bound.
func newThree(staleness time.Duration, change func(*lease.Params)) *three {
	p := defaults()
	p.Staleness = staleness
	p.Witnesses = []lease.WitnessParams{{Name: "x", Staleness: staleness}, {Name: "y"}, {Name: "z"}}
	if change != nil {
		change(&p)
	}
	w := &three{p: p, state: lease.New(p).Strict()}
	for i := range w.x {
		w.x[i].own.Outcome = lease.ReadMissing
		w.x[i].infos = slices.Repeat([]lease.InfoRead{{Outcome: lease.ReadFound, Info: lease.Info{Safety: p.Safety()}}}, len(p.Members))
	}
	return w
}

// step tells the region something and answers what it asks.
func (w *three) step(ev lease.Event) {
	actions, d := w.state.Step(w.now, ev)
	w.decision = d
	in := func(d time.Duration, ev lease.Event) { w.queue = append(w.queue, later{w.now.Add(d), ev}) }
	for _, a := range actions {
		switch a := a.(type) {
		case lease.Transition:
			w.told = append(w.told, string(a.Reason))
		case lease.Notice:
			if a.Reason == lease.NoticeApprovalWaiting {
				w.told = append(w.told, string(a.Reason))
			}
		case lease.Fence:
			in(time.Second, lease.LayersFenced{ID: a.ID})
		case lease.Activate:
			in(time.Second, lease.LayersActive{ID: a.ID})
		case lease.SaveAuthority:
			in(answerTime, lease.AuthoritySaved{ID: a.ID, OK: true})
		case lease.WriteInfo:
			in(answerTime, lease.InfoWritten{ID: a.ID, Acked: !w.x[a.Witness].noWrites})
		case lease.WriteFlag:
			x := &w.x[a.Witness]
			if !x.noWrites {
				x.own = lease.FlagRead{Outcome: lease.ReadFound, Flag: a.Flag}
			}
			in(answerTime, lease.FlagWritten{ID: a.ID, Acked: !x.noWrites})
		case lease.ReadRound:
			in(answerTime, w.serve(a))
		}
	}
}

// serve answers a round.
func (w *three) serve(a lease.ReadRound) lease.RoundRead {
	x := &w.x[a.Witness]
	read := lease.RoundRead{ID: a.ID, Witness: a.Witness, Flags: make([]lease.FlagRead, len(w.p.Members))}
	if x.noReads {
		return read
	}
	for j := range read.Flags {
		read.Flags[j].Outcome = lease.ReadMissing
	}
	if read.Flags[0] = x.own; x.noOwn {
		read.Flags[0] = lease.FlagRead{}
	}
	if a.Infos {
		read.Infos = x.infos
	}
	return read
}

// until lets time pass.
func (w *three) until(at time.Duration) {
	if w.decision.State == "" {
		w.step(lease.Start{Incarnation: 1, BootID: "b"})
	}
	for end := lease.Instant(at); w.now < end; {
		next, k := w.decision.Wake, -1
		for i := range w.queue {
			if w.queue[i].at < next || w.queue[i].at == next && k < 0 {
				next, k = w.queue[i].at, i
			}
		}
		if next > end {
			w.now = end
			return
		}
		w.now = next
		if k < 0 {
			w.step(lease.Tick{})
			continue
		}
		ev := w.queue[k].ev
		w.queue = slices.Delete(w.queue, k, k+1)
		w.step(ev)
	}
}

// wants fails unless the region has been told of so far what is wanted.
func (w *three) wants(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(w.told, want) {
		t.Errorf("by %v it went %v, want %v", time.Duration(w.now), w.told, want)
	}
}

// TestOutvoted: a candidate that can write to one of three, and read all, withdraws a TTL after that one took its flag, and
// raises none for as long as the others need: longer(TTL), and three turns. One that an operator has told to take goes on.
func TestOutvoted(t *testing.T) {
	outvoted := func() *three {
		w := newThree(0, nil)
		w.x[0].noWrites, w.x[1].noWrites = true, true
		w.until(20 * time.Second)
		return w
	}
	w := outvoted()
	w.until(55 * time.Second)
	raised := []string{"starting", "fenced", "suspected"}
	w.wants(t, raised...)
	w.until(56 * time.Second)
	w.wants(t, append(raised, "outvoted")...)
	w.until(115 * time.Second)
	w.wants(t, append(raised, "outvoted")...)
	w.until(118 * time.Second)
	w.wants(t, append(raised, "outvoted", "suspected")...)

	w = outvoted()
	w.step(lease.Takeover{Until: w.now.Add(time.Second)})
	w.until(56 * time.Second)
	w.wants(t, append(raised, "outvoted", "suspected")...)
}

// TestApprovalOutlivesABlip: one read that is lost, in a candidate that has long waited for an approval, is no TTL of too few
// witnesses.
func TestApprovalOutlivesABlip(t *testing.T) {
	w := newThree(time.Minute, func(p *lease.Params) { p.Mode = lease.ModeSemiAutomatic })
	w.until(20 * time.Second)
	w.x[1].noReads, w.x[1].noWrites = true, true // so that each of the others is needed
	w.until(300 * time.Second)
	asked := []string{"starting", "fenced", "suspected", "approval_waiting"}
	w.wants(t, asked...)
	w.x[2].noOwn = true
	w.until(302 * time.Second)
	w.x[2].noOwn = false
	w.until(400 * time.Second)
	w.wants(t, asked...)
	w.x[2].noOwn = true
	w.until(432 * time.Second)
	w.wants(t, append(asked, "outvoted")...)
}

// TestMostOut: where most witnesses were out for a while, for all, the region takes soon after they are back.
func TestMostOut(t *testing.T) {
	for _, staleness := range []time.Duration{0, time.Minute} {
		w := newThree(staleness, nil)
		w.until(28 * time.Second)
		out := func(is bool) {
			for i := 1; i < 3; i++ {
				w.x[i].noReads, w.x[i].noWrites = is, is
			}
		}
		out(true)
		w.until(75 * time.Second)
		out(false)
		w.until(80 * time.Second)
		if w.decision.State != lease.Active {
			t.Errorf("%v after they are back it is %s (%v), want it active", 5*time.Second, w.decision.State, w.told)
		}
	}
}

// TestOldInfo: an info record with other safety parameters, at one of three witnesses, is told of and holds nothing up; at
// two it does. One that was declared absent, and is not, counts where it is found.
func TestOldInfo(t *testing.T) {
	old := func(p lease.Params) lease.InfoRead {
		p.TTL *= 2
		return lease.InfoRead{Outcome: lease.ReadFound, Info: lease.Info{Safety: p.Safety()}}
	}
	for _, tt := range []struct {
		name   string
		absent bool
		at     []int // the witnesses with an old record of b
		none   []int // ... and with none
		want   lease.StateName
	}{
		{"none", false, nil, nil, lease.Active},
		{"at one", false, []int{0}, nil, lease.Active},
		{"at two", false, []int{0, 2}, nil, lease.Standby},
		{"at one, and none at another", false, []int{0}, []int{1}, lease.Standby},
		{"absent", true, nil, []int{0, 1, 2}, lease.Active},
		{"absent, and old at one", true, []int{0}, []int{1, 2}, lease.Standby},
	} {
		w := newThree(0, func(p *lease.Params) {
			if tt.absent {
				p.KnownAbsent = []lease.Region{"b"}
			}
		})
		for _, i := range tt.at {
			w.x[i].infos = []lease.InfoRead{w.x[i].infos[0], old(w.p)}
		}
		for _, i := range tt.none {
			w.x[i].infos = []lease.InfoRead{w.x[i].infos[0], {Outcome: lease.ReadMissing}}
		}
		w.until(35 * time.Second)
		if w.decision.State != tt.want {
			t.Errorf("%s: it is %s, want %s", tt.name, w.decision.State, tt.want)
		}
		told := slices.ContainsFunc(w.state.Alarms(), func(n lease.Notice) bool { return n.Reason == lease.NoticeSafetyDiffers })
		if told != (len(tt.at) > 0) {
			t.Errorf("%s: that parameters differ is told: %v", tt.name, told)
		}
	}
}
