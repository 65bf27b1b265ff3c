package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
)

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Says what is: state, authority, peers, layers, witness",
		Long: `Asks the agent of this region what it is, what it knows of the others, and what
is wrong. Exit code 0 whenever the agent answers, active or not.

With --watch it asks again every second, in place on a terminal, until it is
interrupted. An agent that does not answer is shown as that, and asked again. With
-o json that is on standard error, and standard output has objects alone.`,
		Example: "  failoverd status\n  failoverd status --watch\n  failoverd status -o json | jq .authority",
		Args:    noArgs,
	}
	path, address, output := configFlag(cmd), addressFlag(cmd), outputFlag(cmd)
	watch := cmd.Flags().BoolP("watch", "w", false, "ask again every second, until interrupted")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		show := func(out io.Writer) error {
			return showStatus(cmd.Context(), out, *path, *address, *output, printStatus)
		}
		if *watch {
			return watchStatus(cmd, *output == "json", show)
		}
		return show(cmd.OutOrStdout())
	}
	return cmd
}

// watchStatus shows again and again, until it is interrupted: to a person, or object after object.
func watchStatus(cmd *cobra.Command, objects bool, show func(io.Writer) error) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	_, inPlace := terminal(out)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var shown bytes.Buffer // and all at once, so that a terminal does not flicker
		err := show(&shown)
		switch usage := (usageError{}); {
		case errors.As(err, &usage):
			return err
		case ctx.Err() != nil:
			return nil
		case err != nil && objects:
			fmt.Fprintln(cmd.ErrOrStderr(), err)
		case err != nil:
			fmt.Fprintln(&shown, err)
		}
		const home, clearLine, clearRest = "\x1b[H", "\x1b[K", "\x1b[J"
		if inPlace && !objects {
			text := fmt.Sprintf("%s, every second; Ctrl-C ends it\n\n%s", time.Now().Format(time.TimeOnly), &shown)
			fmt.Fprint(out, home, strings.ReplaceAll(text, "\n", clearLine+"\n"), clearRest)
		} else {
			fmt.Fprintln(out, &shown)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// printMode says what the region decides by itself, and what it asks for.
func printMode(out io.Writer, s agent.Status) {
	fmt.Fprintf(out, "mode %s", s.Mode)
	if s.Paused != nil {
		fmt.Fprintf(out, "; paused for %s more, and decides nothing by itself", seconds(*s.Paused))
	}
	if s.Permitted != nil {
		fmt.Fprintf(out, "; an operator's word to act is good for %s more", seconds(*s.Permitted))
	}
	fmt.Fprintln(out)
	if s.Approval != nil {
		fmt.Fprintf(out, "%s failoverd approve, or failoverd deny; it asks anew in %s\n", asked(s), seconds(s.Approval.Until))
	}
}

// printDrill says how the last drill ended.
func printDrill(out io.Writer, d *audit.Drill) {
	if d == nil {
		return
	}
	fmt.Fprintf(out, "\nlast drill: to %s, by %s, ended %s: ", d.To, d.User, d.Ended.Local().Format(time.DateTime))
	if d.Done {
		fmt.Fprintf(out, "as planned, %d steps within their bounds\n", len(d.Steps))
		return
	}
	fmt.Fprintf(out, "NOT as planned: %s\n", d.Trouble)
}

func printStatus(out io.Writer, s agent.Status) {
	fmt.Fprintf(out, "%s of group %s is %s, for %s: %s\n", s.Region, s.Group, s.State, seconds(s.Since), s.Reason.Text)
	if i := s.Instance; i != nil {
		switch {
		case i.Acts && i.Confirmed:
			fmt.Fprintf(out, "instance %s acts for it, in term %d\n", i.Name, i.Term)
		case i.Acts:
			fmt.Fprintf(out, "instance %s acted for it in term %d, and can't tell whether another one does by now: %s\n", i.Name, i.Term, i.Trouble)
		default:
			fmt.Fprintf(out, "instance %s follows; %s acts for it\n", i.Name, cmp.Or(i.Leader, "nobody yet"))
		}
	}
	if s.Authority {
		fmt.Fprintf(out, "authority for epoch %d, for %s more unless it is renewed; fencing starts in %s\n", s.Epoch, seconds(s.AuthorityRemaining), seconds(s.FencingStartsIn))
	} else {
		holder := string(s.Holder)
		if holder == "" {
			holder = "nobody yet"
		}
		fmt.Fprintf(out, "no authority; last known holder: %s\n", holder)
	}
	printMode(out, s)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nPEER\tSTATE\tEPOCH\tLAST RECORD\tMODE\tNOTE")
	for _, p := range s.Peers {
		record, note := "none seen", ""
		if p.RecordAge != nil {
			record = seconds(*p.RecordAge) + " ago"
		}
		switch {
		case !p.Known:
			note = "its info record has never been seen"
		case len(p.Differs) > 0:
			note = fmt.Sprintf("other parameters: %v", p.Differs)
		case len(p.Degraded) > 0:
			note = "degraded: " + strings.Join(p.Degraded, ", ")
		case len(p.Behind) > 0:
			note = "behind: " + strings.Join(p.Behind, ", ")
		case p.RecordAge == nil:
			note = "a standby is silent"
		}
		mode := cmp.Or(string(p.Mode), "-")
		if p.Paused {
			mode += ", paused"
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", p.Region, p.State, p.Epoch, record, mode, note)
	}
	table.Flush()
	fmt.Fprintln(table, "\nLAYER\tSTATE\tNOTE")
	for _, l := range s.Layers {
		fmt.Fprintf(table, "%s\t%s\t%s\n", l.Name, l.State, l.Trouble)
	}
	if len(s.Layers) == 0 {
		fmt.Fprintln(table, "none\t\t")
	}
	table.Flush()
	for _, what := range s.Behind {
		fmt.Fprintf(out, "  behind: %s\n", what)
	}
	up := answers(s.Witness.Up)
	if n := len(s.Witnesses); n > 0 && s.Witness.Up {
		up = fmt.Sprintf("answers, by most of %d", n)
	} else if n > 0 {
		up = fmt.Sprintf("does not answer, by most of %d", n)
	}
	fmt.Fprintf(out, "\nwitness %s; staleness bound %s, observed %s\n", up, seconds(s.Witness.Staleness), observed(s.Witness))
	for _, w := range s.Witnesses {
		fmt.Fprintf(out, "  %s %s; staleness bound %s, observed %s\n", w.Name, answers(w.Up), seconds(w.Staleness), observed(w))
	}
	for _, call := range slices.Sorted(maps.Keys(s.Witness.Trouble)) {
		fmt.Fprintf(out, "  %s: %s\n", call, s.Witness.Trouble[call])
	}
	printHealth(out, s.Health)
	printGPUs(out, s.GPUs)
	printEvictions(out, s.Evictions)
	printDrill(out, s.Drill)
	for _, a := range s.Alarms {
		fmt.Fprintf(out, "\n%s: %s", a.Severity, a.Title)
		if about := a.About(); about != "" {
			fmt.Fprintf(out, " (%s)", about)
		}
		fmt.Fprintf(out, ": %s\n", a.Text)
		if a.Detail != "" {
			fmt.Fprintf(out, "  %s\n", a.Detail)
		}
		if a.Remedy != "" {
			fmt.Fprintf(out, "  what to do: %s\n", a.Remedy)
		}
	}
}

// observed is how stale a witness was seen to be of late, and by whose flag.
func observed(w agent.WitnessStatus) string {
	var stalest []string
	for region, of := range w.ObservedByRegion {
		if of > 0 && of == w.ObservedStaleness {
			stalest = append(stalest, string(region))
		}
	}
	if len(stalest) == 0 {
		return seconds(w.ObservedStaleness)
	}
	slices.Sort(stalest)
	return seconds(w.ObservedStaleness) + " (" + strings.Join(stalest, ", ") + ")"
}

// answers says whether a witness does.
func answers(up bool) string {
	if up {
		return "answers"
	}
	return "does not answer"
}
