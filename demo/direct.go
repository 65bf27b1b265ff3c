package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// calm is how long nothing is done after a takeover: the others have seen the new
// holder renew, and people have seen who it is.
const calm = 2 * time.Second

// A director does one thing after the other to the regions and watches through the eyes of
// the client. All is done by one goroutine.
type director struct {
	ctx     context.Context
	regions []*region
	samples <-chan sample
	watch   Watcher
	report  Report
	now     time.Duration // of the newest sample
	pause   time.Duration // the longest between two samples, since take
	active  seen          // who answered when the last fault was over
	last    time.Duration // when anyone answered last
	gap     time.Duration // the longest between two answers, since the fault
}

// seen is an answer and when it was asked for.
type seen struct {
	answer
	asked time.Time
}

func direct(ctx context.Context, regions []*region, watch Watcher) (*Report, error) {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	for _, r := range regions {
		if err := r.start(); err != nil {
			return nil, err
		}
	}
	d := &director{ctx: ctx, regions: regions, samples: ask(asking, regions), watch: watch}
	err := d.play()
	return &d.report, err
}

// play is the whole of the demo.
func (d *director) play() error {
	d.say("three regions start, and nobody has ever held the lease")
	var err error
	if d.active, err = d.await("some region answers", anyone); err != nil {
		return err
	}
	d.say("%s answers (epoch %d): it has waited until no lease could stand", d.active.region, d.active.epoch)
	d.take() // all was slow while it began
	for _, act := range []func(*region) error{d.kill, d.freeze, d.cut, d.restart} {
		if err := d.rest(calm); err != nil {
			return err
		}
		holder, err := d.holder()
		if err != nil {
			return err
		}
		d.gap = 0
		if err := act(holder); err != nil {
			return err
		}
	}
	if err := d.rest(calm); err != nil {
		return err
	}
	_, err = d.holder()
	d.report.Complete = err == nil
	return err
}

func (d *director) kill(r *region) error {
	d.say("%s is active, and its agent is killed, as by SIGKILL", r.name)
	if err := r.kill(); err != nil {
		return err
	}
	if err := d.takeover("killed", r, measured.takeover); err != nil {
		return err
	}
	if err := d.rest(calm / 2); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	if err := d.fences(r); err != nil {
		return err
	}
	d.say("the agent of %s starts again: it fences first, and is a standby", r.name)
	return nil
}

func (d *director) freeze(r *region) error {
	d.say("%s is active, and its agent is frozen, as by SIGSTOP: it can't fence", r.name)
	r.freeze()
	if err := d.silent(r); err != nil {
		return err
	}
	d.say("the service of %s stops all the same: its dead-man gate is silent", r.name)
	if err := d.takeover("frozen", r, measured.takeover); err != nil {
		return err
	}
	if err := d.rest(calm / 2); err != nil {
		return err
	}
	r.thaw()
	if err := d.fences(r); err != nil {
		return err
	}
	d.say("%s is thawed: its clock says that its authority is over, so it fences", r.name)
	return nil
}

func (d *director) cut(r *region) error {
	d.say("%s is active, and is cut off from the witness", r.name)
	r.cut()
	if err := d.fences(r); err != nil {
		return err
	}
	d.say("%s could not renew, and has fenced, ahead of its deadline", r.name)
	if err := d.takeover("cut off", r, measured.fenced); err != nil {
		return err
	}
	if err := d.rest(calm / 2); err != nil {
		return err
	}
	d.say("%s reaches the witness again, and is a standby", r.name)
	r.heal()
	return nil
}

func (d *director) restart(r *region) error {
	d.say("%s is active, and its agent is killed, and started at once", r.name)
	killed := time.Now()
	if err := r.kill(); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	standing, cancel := context.WithTimeoutCause(d.ctx, r.params.TTL, fmt.Errorf("after %v its authority has run out", r.params.TTL))
	defer cancel()
	if err := r.service.awaitGate(standing); err != nil {
		return err
	}
	back := time.Now()
	// Rounds from before the kill may still be on their way.
	next, err := d.await(string(r.name)+" answers again", func(a seen) bool { return a.asked.After(back) })
	if err != nil {
		return err
	}
	if next.answer != d.active.answer {
		return fmt.Errorf("%s was restarted with authority for epoch %d that still stood, and then %s answered for epoch %d: want it to go on; if this machine is busy, try again when it is not",
			r.name, d.active.epoch, next.region, next.epoch)
	}
	gone := back.Sub(killed)
	d.add("restarted", r, next, func(m measured, _ lease.Params) bound { return m.restarted(gone) })
	return nil
}

// takeover waits for another region to answer.
func (d *director) takeover(name string, from *region, b func(measured, lease.Params) bound) error {
	next, err := d.await("another region takes over from "+string(from.name), func(a seen) bool { return a.region != from.name })
	if err != nil {
		return err
	}
	d.add(name, from, next, b)
	return nil
}

// add notes a fault that is over. Its gap is from the last answer to the next: if nothing was amiss,
// a pause.
func (d *director) add(name string, r *region, next seen, of func(measured, lease.Params) bound) {
	m := d.take()
	b := of(m, d.regions[0].params)
	f := Fault{
		Name: name, Region: r.name, Successor: next.region, Epoch: next.epoch,
		Gap: d.gap.Seconds(), Bound: b.value.Seconds(), Formula: b.formula,
		RoundTrip: m.roundTrip.Seconds(), Save: m.save.Seconds(), Pause: m.pause.Seconds(),
	}
	d.report.Faults = append(d.report.Faults, f)
	d.active = next
	d.say("%s answers (epoch %d) after a gap of %.2f s; the bound is %.2f s", next.region, next.epoch, f.Gap, f.Bound)
}

func anyone(seen) bool { return true }

// await takes samples in until there is an answer as wanted, and returns it.
func (d *director) await(what string, wanted func(seen) bool) (seen, error) {
	for {
		s, err := d.next(what)
		if err != nil {
			return seen{}, err
		}
		for _, a := range s.answered {
			if got := (seen{a, s.asked}); wanted(got) {
				return got, nil
			}
		}
	}
}

// fences waits until the layer of a region is fenced.
func (d *director) fences(r *region) error {
	for !r.service.fenced() {
		if _, err := d.next(string(r.name) + " fences"); err != nil {
			return err
		}
	}
	return nil
}

// silent waits until a region answers no more.
func (d *director) silent(r *region) error {
	for {
		s, err := d.next(string(r.name) + " falls silent")
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(s.answered, func(a answer) bool { return a.region == r.name }) {
			return nil
		}
	}
}

// rest lets time pass in which a region should answer.
func (d *director) rest(pause time.Duration) error {
	for until := d.now + pause; d.now < until; {
		s, err := d.next("a pause ends")
		if err != nil {
			return err
		}
		if len(s.answered) == 0 {
			d.report.Calm++
		}
	}
	return nil
}

// next takes a sample in.
func (d *director) next(what string) (sample, error) {
	select {
	case s := <-d.samples:
		d.pause = max(d.pause, s.at-d.now)
		d.now = s.at
		d.report.count(s)
		shown := Sample{At: s.at}
		for _, a := range s.answered {
			shown.Answered = append(shown.Answered, a.region)
		}
		if len(s.answered) > 0 {
			d.gap = max(d.gap, s.at-d.last)
			d.last = s.at
		}
		for _, r := range d.regions {
			shown.Conditions = append(shown.Conditions, r.condition)
		}
		d.watch.Sample(shown)
		return s, nil
	case <-d.ctx.Done():
		return sample{}, fmt.Errorf("stopped after %.0f s, before %s: %w", d.now.Seconds(), what, context.Cause(d.ctx))
	}
}

// holder is the region that answers, which is the one that did when the last fault was over.
func (d *director) holder() (*region, error) {
	next, err := d.await("one region answers", anyone)
	if err != nil {
		return nil, err
	}
	if next.answer != d.active.answer {
		return nil, fmt.Errorf("%s answered for epoch %d, and then %s for epoch %d, though nothing was done to them: if this machine is busy, try again when it is not",
			d.active.region, d.active.epoch, next.region, next.epoch)
	}
	for _, r := range d.regions {
		if r.name == next.region {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%q answers, which is no member", next.region)
}

// take returns what all waited for since it was called last.
func (d *director) take() measured {
	m := measured{pause: d.pause}
	d.pause = 0
	for _, r := range d.regions {
		m = m.longer(r.take())
	}
	return m
}

func (d *director) say(format string, args ...any) {
	d.watch.Event(Event{d.now, fmt.Sprintf(format, args...)})
}
