package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// An operation is what an operator has the agent do: it is shown first, and watched.
type operation struct {
	said  audit.Command
	plan  plan
	done  func(agent.Status) string // says how it ended, and is empty while it has not; nil if there is nothing to wait for
	limit time.Duration             // by when it has
	aside string                    // what is said at its end, where there is nothing to wait for
}

// An operator's flags, the same for each verb.
type operatorFlags struct {
	config, reason, output *string
	yes                    *bool
}

func operatorFlagsOf(cmd *cobra.Command) operatorFlags {
	return operatorFlags{
		config: configFlag(cmd), output: outputFlag(cmd),
		reason: cmd.Flags().String("reason", "", "why, in a `text` for the journal; it is asked for on a terminal"),
		yes:    cmd.Flags().BoolP("yes", "y", false, "do it without asking; for scripts"),
	}
}

// operate shows what would be done, asks, has it done, and tells how it goes. prepare makes the operation of
// what the region is now.
func operate(cmd *cobra.Command, flags operatorFlags, prepare func(*config.Config, agent.Status) (operation, error)) error {
	cfg, err := loadConfig(*flags.config)
	if err != nil {
		return err
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if err := flags.check(cmd); err != nil {
		return err
	}
	status, err := statusBySocket(ctx, cfg.API.Socket)
	if err != nil {
		return err
	}
	op, err := prepare(cfg, status)
	if err != nil {
		return err
	}
	if err := command(ctx, cfg.API.Socket, order{Command: op.said, Check: true}); err != nil {
		return err
	}
	text := *flags.output != "json"
	if text {
		op.plan.print(out)
	}
	if op.said.Reason, err = flags.consent(cmd); err != nil {
		return err
	}
	began := time.Now()
	if err := command(ctx, cfg.API.Socket, order{Command: op.said}); err != nil {
		return err
	}
	progress := progress{out: out, text: text, began: began, limit: op.limit, Outcome: op.aside, Verb: op.said.Verb, Plan: op.plan, last: status}
	if op.done != nil {
		err = progress.watch(ctx, cfg.API.Socket, op.done)
	} else if text {
		fmt.Fprintln(out, op.aside)
	}
	progress.Done, progress.Seconds = err == nil, time.Since(began).Seconds()
	if !text {
		return errors.Join(printJSON(out, progress), err)
	}
	return err
}

// check refuses what can't be asked about.
func (f operatorFlags) check(cmd *cobra.Command) error {
	asks := isTerminal(cmd.InOrStdin()) && !*f.yes
	switch {
	case !asks && !*f.yes:
		return usageError{errors.New("nobody can be asked here, and --yes is not given: it is for a terminal, or for a script with --yes and --reason")}
	case !asks && *f.reason == "":
		return usageError{errors.New("--reason is needed: it is written to the journal")}
	case asks && *f.output == "json":
		return usageError{errors.New("-o json asks nobody: give --yes and --reason")}
	}
	return nil
}

// consent is why it is to be done, once somebody has said that it is.
func (f operatorFlags) consent(cmd *cobra.Command) (reason string, err error) {
	if *f.yes {
		return *f.reason, nil
	}
	type answer struct {
		reason string
		err    error
	}
	answered := make(chan answer, 1)
	go func() { // until the process ends, if nobody answers: a read of a terminal can't be called off
		reason, err := confirm(cmd.InOrStdin(), cmd.OutOrStdout(), *f.reason)
		answered <- answer{reason, err}
	}()
	select {
	case a := <-answered:
		return a.reason, a.err
	case <-cmd.Context().Done():
		fmt.Fprintln(cmd.OutOrStdout())
		return "", errors.New("interrupted: nothing was done")
	}
}

// confirm asks why, unless it was said, and whether to go on.
func confirm(in io.Reader, out io.Writer, reason string) (string, error) {
	answers := bufio.NewScanner(in)
	for reason == "" {
		fmt.Fprint(out, "\nWhy? It is written to the journal: ")
		if !answers.Scan() {
			return "", errors.New("nothing was done")
		}
		reason = strings.TrimSpace(answers.Text())
	}
	fmt.Fprint(out, "\nGo on? [y/N] ")
	if answers.Scan(); !strings.EqualFold(strings.TrimSpace(answers.Text()), "y") && !strings.EqualFold(strings.TrimSpace(answers.Text()), "yes") {
		return "", errors.New("nothing was done")
	}
	return reason, nil
}

// isTerminal reports whether a person can be asked.
func isTerminal(in io.Reader) bool {
	f, is := in.(*os.File)
	if !is {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// A progress is what has become of an operation: the body of -o json.
type progress struct {
	Verb    string   `json:"verb"`
	Plan    plan     `json:"plan"`
	Events  []moment `json:"events,omitempty"`
	Done    bool     `json:"done"`
	Seconds float64  `json:"seconds"`
	Outcome string   `json:"outcome"`

	out   io.Writer
	text  bool
	began time.Time
	limit time.Duration
	last  agent.Status
}

// A moment is something that was seen to happen.
type moment struct {
	Seconds float64 `json:"seconds"` // since the command
	What    string  `json:"what"`
}

// watch tells what happens, until done says how it ended, or the limit is over.
func (p *progress) watch(ctx context.Context, socket string, done func(agent.Status) string) error {
	late, cancel := context.WithTimeout(ctx, p.limit)
	defer cancel()
	for {
		status, err := statusBySocket(late, socket)
		if err == nil {
			p.compare(status)
			if p.Outcome = done(status); p.Outcome != "" {
				p.tell(p.Outcome)
				return nil
			}
		}
		select {
		case <-late.Done():
			p.Outcome = fmt.Sprintf("it has begun, and has not come to its end within %s; see failoverd explain", seconds(p.limit.Seconds()))
			if ctx.Err() != nil {
				p.Outcome = "interrupted: it goes on; failoverd explain says how far it is"
			}
			return errors.New(p.Outcome)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// compare tells what has changed since the last look.
func (p *progress) compare(now agent.Status) {
	if now.State != p.last.State || now.Reason.Code != p.last.Reason.Code {
		p.tell(fmt.Sprintf("%s is %s: %s", now.Region, now.State, now.Reason.Title))
	}
	for i, l := range now.Layers {
		if i < len(p.last.Layers) && l.State != p.last.Layers[i].State && l.State != layers.Unknown {
			p.tell(fmt.Sprintf("layer %s is %s", l.Name, l.State))
		}
	}
	p.last = now
}

// tell notes something, and how much time is left.
func (p *progress) tell(what string) {
	at := time.Since(p.began)
	p.Events = append(p.Events, moment{at.Seconds(), what})
	if p.text {
		fmt.Fprintf(p.out, "%7.2f s  %s  (%s left)\n", at.Seconds(), what, seconds((p.limit - at).Seconds()))
	}
}

// peerActive says which other region is active for a later epoch than this one had.
func peerActive(s agent.Status, to lease.Region, after uint64) string {
	for _, p := range s.Peers {
		if (to == "" || p.Region == to) && p.Quorum != nil && p.Quorum.Authority && p.Quorum.Epoch > after && s.State == lease.Standby {
			return fmt.Sprintf("%s is active for epoch %d", p.Region, p.Quorum.Epoch)
		}
	}
	return ""
}

// activeHere says that this region is active.
func activeHere(s agent.Status) string {
	if s.State == lease.Active {
		return fmt.Sprintf("%s is active for epoch %d", s.Region, s.Epoch)
	}
	return ""
}
