package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// calm is how long nothing is done after an act: the others have seen the holder renew, and people
// have seen who it is.
const calm = 1500 * time.Millisecond

// play is the whole of the demo.
func (d *director) play() error {
	if err := d.begin(); err != nil {
		return err
	}
	for _, act := range []func(*region) error{d.kill, d.freeze, d.outage, d.cut, d.isolate, d.restart, d.switchOver} {
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
	_, err := d.holder()
	d.report.Complete = err == nil
	return err
}

func (d *director) begin() error {
	for _, r := range d.regions {
		d.say("the page of %s: %s", r.name, r.site.url)
	}
	d.say("three regions start, and nobody has ever held the lease")
	next, err := d.await("some region answers", anyone)
	if err != nil {
		return err
	}
	d.add("first start", next.region, next, measured.firstStart)
	d.say("... as all are there and pledge: nobody waits for a lease to run out")
	return nil
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

// outage takes the witness away from everyone, and then has a resolver lie too.
func (d *director) outage(r *region) error {
	d.say("%s is active, and the witness is down for everyone", r.name)
	d.world.witness.shut()
	if err := d.stays("witness down"); err != nil {
		return err
	}
	d.say("... by pledges of the others, through resolvers; now one of these lies")
	before := d.world.lie()
	if err := d.stays("resolver lies"); err != nil {
		return err
	}
	lies := d.world.honest().lies(before)
	if len(lies) == 0 {
		return fmt.Errorf("the resolver that lied was asked nothing: if this machine is busy, try again when it is not")
	}
	d.say("... and the lies are counted, no more: %v", lies)
	d.world.witness.reopen()
	d.say("the witness is back, and all resolvers are honest")
	return nil
}

func (d *director) cut(r *region) error {
	d.say("%s is active, and is cut off from the witness, as the only one", r.name)
	r.cut()
	if err := d.stays("cut off, witness"); err != nil {
		return err
	}
	d.say("... by pledges of the others; now it reaches the witness again")
	r.heal()
	return nil
}

func (d *director) isolate(r *region) error {
	d.say("%s is active, and is cut off from witness and resolvers", r.name)
	r.isolate()
	if err := d.fences(r); err != nil {
		return err
	}
	d.say("%s could neither renew nor ask: it has fenced, ahead of its deadline", r.name)
	if err := d.takeover("cut off, all", r, measured.isolated); err != nil {
		return err
	}
	if err := d.rest(calm / 2); err != nil {
		return err
	}
	d.say("%s reaches them again, and is a standby", r.name)
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
	d.goesOn(next)
	gone := back.Sub(killed)
	d.add("restarted", r.name, next, func(m measured, _ lease.Params) bound { return m.restarted(gone) })
	return nil
}

func (d *director) switchOver(r *region) error {
	to := d.regions[(slices.Index(d.regions, r)+1)%len(d.regions)].name
	d.say("%s is active, and an operator has it hand over to %s", r.name, to)
	ctx, cancel := context.WithTimeout(d.ctx, r.params.RequestTimeout)
	defer cancel()
	if err := r.run.agent.Command(ctx, audit.Command{Verb: agent.SwitchOver, Region: to, User: "demo", Reason: "the demo shows it"}, false); err != nil {
		return fmt.Errorf("switch over from %s to %s: %w", r.name, to, err)
	}
	if err := d.takeover("switchover", r, measured.handedOver); err != nil {
		return err
	}
	if d.active.region != to {
		return fmt.Errorf("%s was to take over from %s, and %s did: if this machine is busy, try again when it is not", to, r.name, d.active.region)
	}
	return nil
}
