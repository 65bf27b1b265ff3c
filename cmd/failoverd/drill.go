package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

func drillCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drill --to REGION",
		Short: "A planned switchover and back, with the time of each step beside its bound",
		Long: `Hands this region's authority over to another one on loan, waits a while, and asks
for it back. Everything that could go wrong is looked at first: the regions, their
modes and health, the layers, the witness, and whether it comes to its end within
the window. --dry-run does that alone, and shows the plan.

If this agent, or the other one, is restarted meanwhile, the loan is forgotten and
authority stays where it is: failoverd switchover there brings it back.

The agent keeps the report in its journal, and the last one for status and the page.

Exit codes: 0 this region is active again, and each step kept to its bound; 1 a
check failed, a step took too long, or authority did not come back; 2 the command
line or the configuration is wrong.`,
		Example: `  failoverd drill --to hz-hel-rtz-prod --dry-run
  failoverd drill --to hz-hel-rtz-prod --stay 10m --window 02:00-04:00 --report drill.md
  failoverd drill --to hz-hel-rtz-prod --yes --reason "the drill of November" -o json | jq .steps`,
		Args: noArgs,
	}
	flags := operatorFlagsOf(cmd)
	to := cmd.Flags().String("to", "", "the `region` that is to be active for a while")
	stay := cmd.Flags().Duration("stay", time.Minute, "how `long` it is to be")
	within := cmd.Flags().String("window", "", "local `times` such as 02:00-04:00 that all of it has to be in (default: any)")
	report := cmd.Flags().String("report", "", "a `file` for the report, in Markdown; it must not exist")
	dry := cmd.Flags().Bool("dry-run", false, "look, and show the plan; do nothing")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		window, err := parseWindow(*within)
		switch {
		case *to == "":
			return usageError{errors.New("--to is needed: the region that is to be active for a while")}
		case *stay < 0:
			return usageError{fmt.Errorf("--stay %v: want 0s or more", *stay)}
		case err != nil:
			return usageError{err}
		}
		if *report != "" {
			if err := tryReport(*report); err != nil {
				return usageError{fmt.Errorf("--report: %s is there already, or can't be: %w", *report, err)}
			}
		}
		cfg, err := loadConfig(*flags.config)
		if err != nil {
			return err
		}
		d := &drill{
			Drill: audit.Drill{Group: cfg.Group, Region: cfg.Region, To: lease.Region(*to), Stay: stay.Seconds()},
			cfg:   cfg, out: cmd.OutOrStdout(), text: *flags.output != "json",
		}
		return d.run(cmd, flags, window, *report, *dry)
	}
	return cmd
}

// A drill is one: the body of -o json.
type drill struct {
	audit.Drill

	cfg  *config.Config
	out  io.Writer
	text bool

	alone string // what becomes of it if nobody waits for it from now on; empty: nothing has been done
}

func (d *drill) run(cmd *cobra.Command, flags operatorFlags, window window, report string, dry bool) error {
	ctx := cmd.Context()
	if !dry {
		if err := flags.check(cmd); err != nil {
			return err
		}
	}
	status, err := d.status(ctx)
	if err != nil {
		return err
	}
	err = d.look(status, window)
	if d.text {
		d.plan(status).print(d.out)
	}
	for _, c := range d.Checks {
		d.sayCheck(c)
	}
	if err == nil && !dry {
		if d.Reason, err = flags.consent(cmd); err == nil {
			err = d.begin(cmd, window)
		}
	}
	if !d.text {
		err = errors.Join(printJSON(d.out, d), err)
	}
	if report != "" && d.alone != "" {
		err = errors.Join(err, d.write(report))
	}
	return err
}

// begin does it, unless something has changed since the plan was shown: whoever is asked may take any time to answer.
func (d *drill) begin(cmd *cobra.Command, window window) error {
	ctx := cmd.Context()
	status, err := d.status(ctx)
	if err != nil {
		return fmt.Errorf("nothing was done: %w", err)
	}
	if err := d.look(status, window); err != nil {
		for _, c := range d.Checks {
			if !c.OK {
				d.sayCheck(c)
			}
		}
		return fmt.Errorf("since the plan was shown something has changed: %w", err)
	}
	err = d.perform(ctx, status)
	if err != nil && ctx.Err() != nil && d.alone != "" {
		err = errors.New("interrupted: " + d.alone)
	}
	d.Ended = time.Now()
	if err != nil {
		d.Trouble = err.Error()
	}
	d.keep(cmd)
	return err
}

// status asks this region's agent.
func (d *drill) status(ctx context.Context) (agent.Status, error) {
	return statusBySocket(ctx, d.cfg.API.Socket)
}

// limits are the bounds of fencing, and of taking after it, there and back.
func (d *drill) limits() (fence, take time.Duration) {
	return time.Duration(d.cfg.Lease.FenceTimeout), 2*time.Duration(d.cfg.Lease.RequestTimeout) + time.Duration(d.cfg.Lease.RetryInterval)
}

// longest is how long all of it takes at most.
func (d *drill) longest() time.Duration {
	fence, take := d.limits()
	return 2*(fence+take) + time.Duration(d.cfg.Lease.RenewInterval) + time.Duration(d.Stay*float64(time.Second))
}

func (d *drill) plan(s agent.Status) plan {
	fence, take := d.limits()
	p := plan{Title: fmt.Sprintf("Drill: %s hands its authority over to %s, and takes it back:", d.Region, d.To)}
	p.step(fence, "%s fences its layers, %s", d.Region, layerNames(s, true))
	p.step(take, "%s is told, takes, and activates its layers", d.To)
	p.step(time.Duration(d.Stay*float64(time.Second)), "%s is active for a while", d.To)
	p.step(fence+time.Duration(d.cfg.Lease.RenewInterval), "%s is asked to give it back, and fences its layers", d.To)
	p.step(take, "%s is told, takes, and activates its layers, %s", d.Region, layerNames(s, false))
	p.note("twice nobody is active, for %s at most each time; all of it takes %s at most", seconds((fence + take).Seconds()), seconds(d.longest().Seconds()))
	return p
}

// look looks at everything that a drill rests on which begins now. Its error is that some of it is wrong.
func (d *drill) look(s agent.Status, w window) error {
	d.Began, d.Checks = time.Now(), nil
	failed := 0
	check := func(ok bool, format string, args ...any) {
		d.Checks = append(d.Checks, audit.DrillCheck{OK: ok, What: fmt.Sprintf(format, args...)})
		if !ok {
			failed++
		}
	}
	check(s.State == lease.Active, "%s is active (it is %s)", s.Region, s.State)
	check(s.Paused == nil, "%s is not paused", s.Region)
	check(s.Witness.Up, "the witness answers")
	for _, l := range s.Layers {
		check(l.State == layers.Active, "layer %s is active (it is %s)", l.Name, l.State)
	}
	known := false
	for _, p := range s.Peers {
		known = known || p.Region == d.To
		q := p.Quorum
		check(q != nil && q.Reached && q.Willing, "%s answers through the quorum, and would pledge", p.Region)
		if p.Region == d.To {
			check(len(p.Degraded) == 0 && (q == nil || !q.Degraded), "%s is not degraded%s", p.Region, because(p.Degraded))
			check(len(p.Behind) == 0 && (q == nil || !q.Behind), "its data is not too far behind%s", because(p.Behind))
			check(!p.Paused, "%s is not paused", p.Region)
		}
	}
	check(known, "%s is another member of the group", d.To)
	for _, a := range s.Alarms {
		check(false, "no alarm holds: %s %s", a.Title, a.About())
	}
	if w != (window{}) {
		check(w.holds(d.Began, d.longest()), "all of it is within the window %s: it takes %s at most", w, seconds(d.longest().Seconds()))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed, and nothing was done", failed, len(d.Checks))
	}
	return nil
}

func (d *drill) sayCheck(c audit.DrillCheck) {
	d.say("  [%s] %s", map[bool]string{true: "yes", false: "no "}[c.OK], c.What)
}

// because names what is wrong, if anything is.
func because(what []string) string {
	if len(what) == 0 {
		return ""
	}
	return ": " + strings.Join(what, ", ")
}

// perform does it, and measures.
func (d *drill) perform(ctx context.Context, before agent.Status) error {
	fence, take := d.limits()
	order := func(verb string) error {
		return command(ctx, d.cfg.API.Socket, order{Command: audit.Command{Verb: verb, Region: d.To, Loan: verb == agent.SwitchOver, Reason: d.Reason}})
	}
	if err := order(agent.SwitchOver); err != nil {
		return err
	}
	back := "failoverd switchover there brings authority back"
	d.alone = fmt.Sprintf("it goes on: %s takes authority, and keeps it; failoverd explain says how far it is, and %s", d.To, back)
	if err := d.step(ctx, fmt.Sprintf("%s is fenced", d.Region), fence, func(s agent.Status) bool { return s.State == lease.Standby }); err != nil {
		return err
	}
	lent := func(s agent.Status) bool { return peerActive(s, d.To, before.Epoch) != "" }
	if err := d.step(ctx, fmt.Sprintf("%s is active", d.To), take, lent); err != nil {
		return err
	}
	d.alone = fmt.Sprintf("%s stays active; %s", d.To, back)
	d.say("%s is active; it is asked for it back in %s", d.To, seconds(d.Stay))
	select {
	case <-time.After(time.Duration(d.Stay * float64(time.Second))):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := order(agent.Recall); err != nil {
		return err
	}
	d.alone = fmt.Sprintf("it goes on, and authority comes back to %s; failoverd explain says how far it is", d.Region)
	permitted := func(s agent.Status) bool { return s.Permitted != nil || s.State == lease.Active }
	if err := d.step(ctx, fmt.Sprintf("%s has fenced, and gives it back", d.To), fence+time.Duration(d.cfg.Lease.RenewInterval), permitted); err != nil {
		return err
	}
	if err := d.step(ctx, fmt.Sprintf("%s is active again", d.Region), take, func(s agent.Status) bool { return s.State == lease.Active }); err != nil {
		return err
	}
	active := func(s agent.Status) bool {
		for _, l := range s.Layers {
			if l.State != layers.Active {
				return false
			}
		}
		return true
	}
	if err := d.step(ctx, "its layers are active again", fence, active); err != nil {
		return err
	}
	d.Done = true
	if took := d.Steps[0].Seconds; took*4 < fence.Seconds() {
		d.Advice = fmt.Sprintf("the layers of %s were fenced in %.2f s, and lease.fence_timeout is %s: where every region's are as quick, a shorter one fences later and leaves renewals more time", d.Region, took, fence)
		d.say("%s", d.Advice)
	}
	return nil
}

// step waits for something, and notes how long that took, unless it is interrupted.
func (d *drill) step(ctx context.Context, what string, bound time.Duration, is func(agent.Status) bool) error {
	began := time.Now()
	late, cancel := context.WithTimeout(ctx, 2*bound) // it is looked for after its bound too: it may only be late
	defer cancel()
	for {
		s, err := d.status(late)
		took := time.Since(began)
		if err == nil && is(s) {
			d.Steps = append(d.Steps, audit.DrillStep{What: what, Seconds: took.Seconds(), Bound: bound.Seconds(), OK: took <= bound})
			d.say("%7.2f s  %s (at most %s)", took.Seconds(), what, seconds(bound.Seconds()))
			if took > bound {
				return fmt.Errorf("%s after %s, its bound is %s; authority is where it is now", what, seconds(took.Seconds()), seconds(bound.Seconds()))
			}
			return nil
		}
		select {
		case <-late.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			d.Steps = append(d.Steps, audit.DrillStep{What: what, Seconds: took.Seconds(), Bound: bound.Seconds()})
			return fmt.Errorf("not within %s: %s; see failoverd explain here and in %s", seconds(took.Seconds()), what, d.To)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *drill) say(format string, args ...any) {
	if d.text {
		fmt.Fprintf(d.out, format+"\n", args...)
	}
}

// keep has the agent keep the report, for its page, unless nothing was done.
func (d *drill) keep(cmd *cobra.Command) {
	if d.alone == "" {
		return
	}
	ctx := context.WithoutCancel(cmd.Context()) // it may have been interrupted
	if err := post(ctx, d.cfg.API.Socket, pathDrill, d.Drill); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "the agent does not keep the report, and its page does not show it: %v\n", err)
	}
}

// tryReport finds out whether there can be a report, and leaves none.
func tryReport(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(path))
}

// write writes the report.
func (d *drill) write(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	fmt.Fprintf(f, "# Drill of %s\n\n%s handed its authority over to %s and took it back, %s.\n\nWhy: %s\n\n", d.Group, d.Region, d.To, d.Began.Format(time.RFC1123), d.Reason)
	fmt.Fprintf(f, "| step | took | at most | |\n|---|---|---|---|\n")
	for _, s := range d.Steps {
		fmt.Fprintf(f, "| %s | %s | %s | %s |\n", s.What, seconds(s.Seconds), seconds(s.Bound), map[bool]string{true: "kept", false: "**not kept**"}[s.OK])
	}
	fmt.Fprintf(f, "\nEnded as planned: %v. %s\n\nChecked before:\n\n", d.Done, cmp.Or(d.Trouble, d.Advice))
	for _, c := range d.Checks {
		fmt.Fprintf(f, "- %s\n", c.What)
	}
	return f.Close()
}
