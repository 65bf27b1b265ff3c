package demo

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Condition is what was done to a region.
type Condition string

const (
	Up     Condition = "up"
	Killed Condition = "killed"
	Frozen Condition = "frozen"
	Cut    Condition = "cut off from the witness"
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
}

// A Watcher is told all that happens, by one goroutine.
type Watcher interface {
	Event(Event)
	Sample(Sample)
}

// A Fault is one of the things that were done to the active region, and what came of it.
type Fault struct {
	Name      string       `json:"fault"`
	Region    lease.Region `json:"region"`
	Successor lease.Region `json:"successor"` // who answered next: another region, unless it was a restart
	Epoch     uint64       `json:"epoch"`     // ... under which authority
	Gap       float64      `json:"gap_seconds"`
	Bound     float64      `json:"bound_seconds"`
	Formula   string       `json:"formula"`
}

// Within reports whether the gap has kept to its bound.
func (f Fault) Within() bool { return f.Gap <= f.Bound }

// A Report is what the demo has shown.
type Report struct {
	Faults []Fault `json:"faults"`
	Asked  int     `json:"asked"`        // rounds of questions
	One    int     `json:"answered_one"` // by one region
	None   int     `json:"answered_none"`
	Two    int     `json:"answered_two"` // by two or more: must be 0
	// Slowest is the longest time that the witness took to answer: the round trip in the bounds.
	Slowest float64 `json:"witness_slowest_seconds"`
	Took    float64 `json:"took_seconds"`
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
		return fmt.Errorf("two regions answered at once, %d times of %d: report it with the output of --log", r.Two, r.Asked)
	}
	for _, f := range r.Faults {
		if !f.Within() {
			return fmt.Errorf("nobody answered for %.1f s after %s was %s, the bound is %.1f s: if this machine is busy, try again when it is not", f.Gap, f.Region, f.Name, f.Bound)
		}
	}
	return nil
}

// Print prints the report for people.
func (r *Report) Print(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what was done\tto\tnext\tepoch\tnobody answered\tbound")
	for _, f := range r.Faults {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%.1f s\t%.1f s = %s\n", f.Name, f.Region, f.Successor, f.Epoch, f.Gap, f.Bound, f.Formula)
	}
	table.Flush()
	fmt.Fprintf(out, "\n%d times asked: one region answered %d times, none %d times, two %d times; %.0f s\n", r.Asked, r.One, r.None, r.Two, r.Took)
}
