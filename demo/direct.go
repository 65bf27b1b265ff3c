package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A director does one thing after the other to the regions and watches through the eyes of
// the client. All is done by one goroutine.
type director struct {
	ctx     context.Context
	world   *world
	regions []*region
	samples <-chan sample
	watch   Watcher
	report  Report
	now     time.Duration // of the newest sample
	pause   time.Duration // the longest between two samples, since take
	active  seen          // who answered when the last act was over
	gap     time.Duration // the longest since the act began: see Act

	lastAnswered []answer // what came last
	lastAt       time.Duration
	silence      bool // nobody has answered since
}

// seen is an answer and when it was asked for.
type seen struct {
	answer
	asked time.Time
}

func direct(ctx context.Context, world *world, regions []*region, watch Watcher) (*Report, error) {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	for _, r := range regions {
		if err := r.start(); err != nil {
			return nil, err
		}
	}
	d := &director{ctx: ctx, world: world, regions: regions, samples: ask(asking, regions), watch: watch}
	err := d.play()
	return &d.report, err
}

// takeover waits for another region to answer.
func (d *director) takeover(name string, from *region, b func(measured, lease.Params) bound) error {
	next, err := d.await("another region takes over from "+string(from.name), func(a seen) bool { return a.region != from.name })
	if err != nil {
		return err
	}
	d.add(name, from.name, next, b)
	return nil
}

// stays lets time pass in which the region that is active should answer, whatever was done, and go on
// with its authority: longer than that lasts, if nothing extends it.
func (d *director) stays(name string) error {
	active := d.active.region
	if _, err := d.pass(d.regions[0].params.TTL + calm/2); err != nil {
		return err
	}
	if _, err := d.holder(); err != nil {
		return err
	}
	d.add(name, active, d.active, measured.goesOn)
	return nil
}

// add notes an act that is over.
func (d *director) add(name string, active lease.Region, next seen, of func(measured, lease.Params) bound) {
	m := d.take()
	b := of(m, d.regions[0].params)
	a := Act{
		Name: name, Region: active, Successor: next.region, Epoch: next.epoch,
		Gap: d.gap.Seconds(), Bound: b.value.Seconds(), Formula: b.formula,
		RoundTrip: m.roundTrip.Seconds(), Question: m.question.Seconds(), Save: m.save.Seconds(), Pause: m.pause.Seconds(),
	}
	d.report.Acts = append(d.report.Acts, a)
	d.active, d.gap = next, 0
	if a.Gap == 0 {
		d.say("%s answers all the time (epoch %d): the gap is 0", next.region, next.epoch)
		return
	}
	d.say("%s answers (epoch %d) after a gap of %.2f s; the bound is %.2f s", next.region, next.epoch, a.Gap, a.Bound)
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

// rest lets time pass in which nothing is done, so that a region should answer.
func (d *director) rest(pause time.Duration) error {
	silent, err := d.pass(pause)
	d.report.Calm += silent
	return err
}

// pass lets time pass, and returns how often nobody answered.
func (d *director) pass(pause time.Duration) (silent int, err error) {
	for until := d.now + pause; d.now < until; {
		s, err := d.next("a pause ends")
		if err != nil {
			return silent, err
		}
		if len(s.answered) == 0 {
			silent++
		}
	}
	return silent, nil
}

// next takes a sample in.
func (d *director) next(what string) (sample, error) {
	select {
	case s := <-d.samples:
		d.pause = max(d.pause, s.at-d.now)
		d.now = s.at
		d.report.count(s)
		d.measure(s)
		d.watch.Sample(d.shown(s))
		return s, nil
	case <-d.ctx.Done():
		return sample{}, fmt.Errorf("stopped after %.0f s, before %s: %w", d.now.Seconds(), what, context.Cause(d.ctx))
	}
}

// measure finds gaps.
func (d *director) measure(s sample) {
	if len(s.answered) == 0 {
		d.silence = true
		return
	}
	if d.silence || !slices.Equal(s.answered, d.lastAnswered) {
		d.gap = max(d.gap, s.at-d.lastAt)
	}
	d.lastAnswered, d.lastAt, d.silence = s.answered, s.at, false
}

// shown is a sample as the watcher gets it.
func (d *director) shown(s sample) Sample {
	out := Sample{At: s.at}
	out.Witness, out.Resolvers = d.world.conditions()
	for _, a := range s.answered {
		out.Answered = append(out.Answered, a.region)
	}
	for _, r := range d.regions {
		out.Conditions = append(out.Conditions, r.condition)
	}
	return out
}

// holder is the region that answers, which should be the one that did when the last act was over.
func (d *director) holder() (*region, error) {
	next, err := d.await("one region answers", anyone)
	if err != nil {
		return nil, err
	}
	d.goesOn(next)
	for _, r := range d.regions {
		if r.name == next.region {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%q answers, which is no member", next.region)
}

// goesOn notes who answers now, and that authority was lost if it is not the one of before. A machine that is
// busy can do that, and there is still something to see.
func (d *director) goesOn(next seen) {
	if next.answer != d.active.answer {
		d.report.Lost++
		d.say("%s answered for epoch %d, and now %s for epoch %d, though nothing was to end that", d.active.region, d.active.epoch, next.region, next.epoch)
	}
	d.active = next
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
