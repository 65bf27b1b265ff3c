package chaos

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Round is one fault and what became of it. Instants are 0 where there was nothing to note.
type Round struct {
	Kind      string        `json:"kind"`
	Victim    lease.Region  `json:"victim"`
	Candidate lease.Region  `json:"candidate,omitempty"` // the second victim, if there was one
	Landed    bool          `json:"landed"`              // the fault came between a write's landing and its answer
	At        lease.Instant `json:"at"`                  // of the fault
	Renewed   lease.Instant `json:"renewed"`             // the victim's last write that landed arrived

	Taker     lease.Region  `json:"taker,omitempty"`
	Taken     lease.Instant `json:"taken"`     // the next authority began
	Activated lease.Instant `json:"activated"` // its activate hook ended

	Thawed lease.Instant `json:"thawed"` // the victim goes on
	Fenced lease.Instant `json:"fenced"` // its fence hook ended

	Resumed string        `json:"resumed,omitempty"` // yes, or why not
	Down    time.Duration `json:"down,omitempty"`    // from the kill until the restarted agent went on
}

// A Series is a set of measured times under a name.
type Series struct {
	Name   string
	Values []time.Duration
	Bound  string // what they are to be compared with, for people
}

// Table prints series as a table: how many, the least, quantiles, the greatest, and the bound.
func Table(series []Series) string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tn\tmin\tp50\tp90\tp99\tmax\tbound")
	for _, s := range series {
		if len(s.Values) == 0 {
			fmt.Fprintf(table, "%s\t0\t\t\t\t\t\t%s\n", s.Name, s.Bound)
			continue
		}
		v := slices.Sorted(slices.Values(s.Values))
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, len(v),
			millis(v[0]), millis(quantile(v, 0.5)), millis(quantile(v, 0.9)), millis(quantile(v, 0.99)), millis(v[len(v)-1]), s.Bound)
	}
	table.Flush()
	return b.String()
}

// quantile returns the least of the sorted values that is not below a share q of them.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func millis(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// gaps are the takeovers of the rounds that pass, each from an instant to another.
func gaps(rounds []Round, pass func(Round) bool, from, to func(Round) lease.Instant) []time.Duration {
	var out []time.Duration
	for _, r := range rounds {
		if pass(r) && from(r) != 0 && to(r) != 0 {
			out = append(out, to(r).Sub(from(r)))
		}
	}
	return out
}
