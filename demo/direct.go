package demo

import (
	"context"
	"fmt"
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
	now     time.Duration         // of the newest sample
	last    map[lease.Region]seen // when each region answered last
}

// seen is an answer and when it was given.
type seen struct {
	answer
	at time.Duration
}

func direct(ctx context.Context, regions []*region, watch Watcher) (*Report, error) {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	for _, r := range regions {
		if err := r.start(); err != nil {
			return nil, err
		}
	}
	d := &director{ctx: ctx, regions: regions, samples: ask(asking, regions), watch: watch, last: map[lease.Region]seen{}}
	err := d.play()
	d.report.Slowest = d.slowest().Seconds()
	return &d.report, err
}

// play is the whole of the demo.
func (d *director) play() error {
	d.say("three regions start, and nobody has ever held the lease")
	first, err := d.await("some region answers", func(s sample) bool { return len(s.answered) == 1 })
	if err != nil {
		return err
	}
	d.say("%s answers, for epoch %d: it waited until no lease could stand", first.region, first.epoch)
	for _, act := range []func(*region) error{d.kill, d.freeze, d.cut, d.restart} {
		if err := d.rest(calm); err != nil {
			return err
		}
		holder, err := d.holder()
		if err != nil {
			return err
		}
		if err := act(holder); err != nil {
			return err
		}
	}
	return d.rest(calm)
}

func (d *director) kill(r *region) error {
	d.say("SIGKILL to the agent of %s, which is active", r.name)
	if err := r.kill(); err != nil {
		return err
	}
	if err := d.takeover("killed", r, d.params().LongestGapFresh, "longer(ttl) + poll_interval + 3 round trips"); err != nil {
		return err
	}
	if err := d.rest(calm / 2); err != nil {
		return err
	}
	d.say("%s starts again, fences, and is a standby", r.name)
	return r.start()
}

func (d *director) freeze(r *region) error {
	d.say("SIGSTOP to the agent of %s, which is active: its service goes on, and its dead-man gate shuts", r.name)
	r.freeze()
	if err := d.takeover("frozen", r, d.params().LongestGapFresh, "longer(ttl) + poll_interval + 3 round trips"); err != nil {
		return err
	}
	if err := d.rest(calm / 2); err != nil {
		return err
	}
	d.say("SIGCONT: %s wakes up with authority that has run out, and fences", r.name)
	r.thaw()
	return nil
}

func (d *director) cut(r *region) error {
	d.say("%s, which is active, is cut off from the witness: it goes on until it has to fence", r.name)
	r.cut()
	bound := func(roundTrip time.Duration) time.Duration {
		return d.params().LongestGapFresh(roundTrip) - d.params().FenceStart()
	}
	if err := d.takeover("cut off", r, bound, "longer(ttl) + poll_interval + 3 round trips - (ttl - fence_timeout)"); err != nil {
		return err
	}
	if err := d.rest(calm / 2); err != nil {
		return err
	}
	d.say("%s reaches the witness again", r.name)
	r.heal()
	return nil
}

func (d *director) restart(r *region) error {
	before := d.last[r.name]
	d.say("SIGKILL to the agent of %s, which is active, and a start at once, as by systemd", r.name)
	begun := time.Now()
	if err := r.kill(); err != nil {
		return err
	}
	if err := r.start(); err != nil {
		return err
	}
	if err := r.service.awaitGate(d.ctx); err != nil {
		return err
	}
	took := time.Since(begun)
	next, err := d.await(string(r.name)+" answers again", func(s sample) bool { return s.at > before.at && len(s.answered) == 1 })
	if err != nil {
		return err
	}
	if next.region != r.name || next.epoch != before.epoch {
		return fmt.Errorf("%s was restarted with authority for epoch %d that still stood, and %s answers for epoch %d: want it to go on", r.name, before.epoch, next.region, next.epoch)
	}
	d.add("restarted", r, before, next, took, "0 of authority + the start of the agent")
	return nil
}

// takeover waits for another region to answer, and notes for how long none did.
func (d *director) takeover(name string, from *region, bound func(roundTrip time.Duration) time.Duration, formula string) error {
	next, err := d.await("another region takes over from "+string(from.name), func(s sample) bool {
		return len(s.answered) == 1 && s.answered[0].region != from.name
	})
	if err != nil {
		return err
	}
	d.add(name, from, d.last[from.name], next, bound(d.slowest()), formula)
	return nil
}

// add notes a fault that is over. The client looks every askEvery, so that what it sees is longer
// by up to two of these.
func (d *director) add(name string, r *region, last, next seen, bound time.Duration, formula string) {
	f := Fault{
		Name: name, Region: r.name, Successor: next.region, Epoch: next.epoch,
		Gap: (next.at - last.at).Seconds(), Bound: (bound + 2*askEvery).Seconds(), Formula: formula + " + 2 x 0.1 s",
	}
	d.report.Faults = append(d.report.Faults, f)
	d.say("%s answers, for epoch %d: nobody did for %.1f s, the bound is %.1f s", next.region, next.epoch, f.Gap, f.Bound)
}

// await takes samples in until one is as wanted, and returns its answer.
func (d *director) await(what string, wanted func(sample) bool) (seen, error) {
	for {
		s, err := d.next(what)
		if err != nil {
			return seen{}, err
		}
		if wanted(s) {
			return seen{s.answered[0], s.at}, nil
		}
	}
}

// rest lets time pass.
func (d *director) rest(pause time.Duration) error {
	for until := d.now + pause; d.now < until; {
		if _, err := d.next("calm"); err != nil {
			return err
		}
	}
	return nil
}

// next takes a sample in.
func (d *director) next(what string) (sample, error) {
	select {
	case s := <-d.samples:
		d.now = s.at
		d.report.count(s)
		shown := Sample{At: s.at}
		for _, a := range s.answered {
			d.last[a.region] = seen{a, s.at}
			shown.Answered = append(shown.Answered, a.region)
		}
		for _, r := range d.regions {
			shown.Conditions = append(shown.Conditions, r.condition)
		}
		d.watch.Sample(shown)
		return s, nil
	case <-d.ctx.Done():
		return sample{}, fmt.Errorf("the demo ended after %.0f s, before this was so: %s: %w", d.now.Seconds(), what, context.Cause(d.ctx))
	}
}

// holder is the region that answers.
func (d *director) holder() (*region, error) {
	next, err := d.await("one region answers", func(s sample) bool { return len(s.answered) == 1 })
	if err != nil {
		return nil, err
	}
	for _, r := range d.regions {
		if r.name == next.region {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%q answers, which is no member", next.region)
}

func (d *director) params() lease.Params { return d.regions[0].params }

// slowest is the longest time that the witness took to answer so far.
func (d *director) slowest() time.Duration {
	var slowest time.Duration
	for _, r := range d.regions {
		slowest = max(slowest, r.slowest())
	}
	return slowest
}

func (d *director) say(format string, args ...any) {
	d.watch.Event(Event{d.now, fmt.Sprintf(format, args...)})
}
