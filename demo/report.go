package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Condition is what was done to a region, to the witness or to the resolvers.
type Condition string

const (
	Up       Condition = "up"
	Killed   Condition = "killed"
	Frozen   Condition = "frozen"
	Cut      Condition = "cut off from the witness"
	Isolated Condition = "cut off from everything"
	Down     Condition = "down"
	Lying    Condition = "one lies"
)

// An Event is something that happened, for people.
type Event struct {
	At   time.Duration // since the client began
	Text string
}

// A Sample is what the client saw at one moment.
type Sample struct {
	At         time.Duration
	Answered   []lease.Region
	Conditions []Condition // of the members, in their order
	Witness    Condition   // Up or Down
	Resolvers  Condition   // Up or Lying
}

// A Watcher is told all that happens, by one goroutine.
type Watcher interface {
	Event(Event)
	Sample(Sample)
}

// An Act is one of the things that the demo does, most of them to the active region, and what came of
// it.
type Act struct {
	Name      string       `json:"act"`
	Region    lease.Region `json:"region"`    // that was active, or became so at the first start
	Successor lease.Region `json:"successor"` // who answered next: another region, unless authority went on
	Epoch     uint64       `json:"epoch"`     // ... under which authority
	// Gap is the longest time from one answer to the next that nobody answered between, or that
	// another authority gave; 0 if there was none such.
	Gap     float64 `json:"gap_seconds"`
	Bound   float64 `json:"bound_seconds"`
	Formula string  `json:"formula"`

	// What was measured for the bound, since the act before: the longest of each.
	RoundTrip float64 `json:"round_trip_seconds"` // of a request to the witness
	Question  float64 `json:"question_seconds"`   // through the quorum, until enough resolvers agreed
	Save      float64 `json:"save_seconds"`       // of authority, to disk
	Pause     float64 `json:"pause_seconds"`      // between two questions of the client
}

// Within reports whether the gap has kept to its bound.
func (a Act) Within() bool { return a.Gap <= a.Bound }

// A Report is what the demo has shown.
type Report struct {
	Acts  []Act `json:"acts"`
	Asked int   `json:"asked"`        // rounds of questions
	One   int   `json:"answered_one"` // by one region
	None  int   `json:"answered_none"`
	Two   int   `json:"answered_two"` // by two or more: must be 0
	// Calm is how often none answered though nothing was being done: a busy machine.
	Calm     int     `json:"answered_none_in_calm"`
	Lost     int     `json:"authorities_lost"` // though they were to go on: a busy machine
	Took     float64 `json:"took_seconds"`
	Complete bool    `json:"complete"` // all was done that there is to do

	Journals []Journal `json:"journals"`
}

// count takes a sample in.
func (r *Report) count(s sample) {
	r.Asked++
	switch len(s.answered) {
	case 0:
		r.None++
	case 1:
		r.One++
	default:
		r.Two++
	}
	r.Took = s.at.Seconds()
}

// Err is what went wrong, if anything did.
func (r *Report) Err() error {
	if r.Two > 0 {
		return fmt.Errorf("two regions answered at once, %d times of %d: that must never be; please run it again with --log FILE and report it with that file", r.Two, r.Asked)
	}
	for _, j := range r.Journals {
		if j.Wrong != "" {
			return fmt.Errorf("the journal of %s: %s: that must never be; please run it again with --log FILE and report it with that file", j.Region, j.Wrong)
		}
	}
	if r.Lost > 0 {
		return fmt.Errorf("authority that was to go on was lost %d times: if this machine is busy, try again when it is not", r.Lost)
	}
	for _, a := range r.Acts {
		if !a.Within() {
			return fmt.Errorf("%s: %s was active, and then there was no answer for %.2f s, the bound is %.2f s: if this machine is busy, try again when it is not", a.Name, a.Region, a.Gap, a.Bound)
		}
	}
	return nil
}

// Longest is the act with the longest gap.
func (r *Report) Longest() Act {
	var longest Act
	for _, a := range r.Acts {
		if a.Gap > longest.Gap {
			longest = a
		}
	}
	return longest
}

// Print prints the report for people, who know from elsewhere if Err is something.
func (r *Report) Print(out io.Writer) {
	if len(r.Acts) > 0 {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(out, "What was done to which active region, and what came of it, in seconds:\n\n")
		fmt.Fprintln(table, "done\tto\tnext\tepoch\tgap\tbound\twitness\tquorum\tsave\tpause")
		for _, a := range r.Acts {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%.2f\t%.2f\t%.3f\t%.3f\t%.3f\t%.3f\n",
				a.Name, a.Region, a.Successor, a.Epoch, a.Gap, a.Bound, a.RoundTrip, a.Question, a.Save, a.Pause)
		}
		table.Flush()
		fmt.Fprintln(out)
		r.printBounds(out)
	}
	fmt.Fprintf(out, "%d times asked in %.0f s: one region answered %d times, none %d, two %d\n", r.Asked, r.Took, r.One, r.None, r.Two)
	if r.Calm > 0 {
		fmt.Fprintf(out, "Of the times that none answered, %d were only because this machine was busy.\n", r.Calm)
	}
	entries, steps, wrong := 0, 0, 0
	for _, j := range r.Journals {
		entries, steps = entries+j.Entries, steps+j.Steps
		if j.Wrong != "" {
			wrong++
		}
	}
	if entries > 0 && wrong == 0 {
		fmt.Fprintf(out, "Journals: %d entries, each signed; replayed, all %d steps are the same.\n", entries, steps)
	}
	if r.Complete && r.Err() == nil {
		a := r.Longest()
		fmt.Fprintf(out, "Two regions never answered at once. The longest gap: %.2f s, its bound %.2f s.\n", a.Gap, a.Bound)
	}
}

// printBounds says where the bounds come from.
func (r *Report) printBounds(out io.Writer) {
	p := Params()
	fmt.Fprintf(out, "Each bound is one of these%s:\n", clientAdds)
	names := map[string][]string{} // of the acts that have a formula
	var formulas []string
	for _, a := range r.Acts {
		formula := strings.TrimSuffix(a.Formula, clientAdds)
		if names[formula] == nil {
			formulas = append(formulas, formula)
		}
		names[formula] = append(names[formula], a.Name)
	}
	for _, formula := range formulas {
		fmt.Fprintf(out, "%s:\n %s\n", strings.Join(names[formula], "; "), formula)
	}
	fmt.Fprintf(out, `with longer(d) = d (1+r)/(1-r), r = %v; ttl %v, staleness %v,
poll_interval %v, fence_timeout %v, request_timeout %v, retry_interval
%v; and the longest that was measured of a round trip to the witness, of a
question through the quorum, of a save of authority to disk, which the layer
waits for, and of a pause between two of the client's questions.

`, p.MaxClockDrift, p.TTL, p.Staleness, p.PollInterval, p.FenceTimeout, p.RequestTimeout, p.RetryInterval)
}
