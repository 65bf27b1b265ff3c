package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// ofWitness is the name of one of several witnesses, behind a blank.
func (l *live) ofWitness(i int) string {
	if len(l.Params.Witnesses) == 0 {
		return ""
	}
	return " " + l.Params.Witnesses[i].Name
}

// staleness is the bound of the witness, or of one of several.
func (l *live) staleness(i int) time.Duration {
	if len(l.Params.Witnesses) == 0 {
		return l.Params.Staleness
	}
	return l.Params.Witnesses[i].Staleness
}

// askWitness reads all records of a witness, as the agent does, and has the store test itself.
func (l *live) askWitness(ctx context.Context, w *witness.Witness, name string, bound time.Duration) []Finding {
	found, answered := l.readAll(ctx, w)
	if answered && bound == 0 {
		found = append(found, l.shortest(ctx, w)...)
	}
	if answered {
		found = append(found, selfTest(ctx, w)...)
	}
	for i := range found {
		found[i].Asked = strings.Replace(found[i].Asked, "witness", "witness"+name, 1)
		if name != "" && !strings.Contains(found[i].Asked, "witness") {
			found[i].Asked += " at" + name
		}
	}
	return found
}

// selfTestPatience is how long a self-test may take. That of a bucket waits a second between two writes of an object
// where the store wants that.
const selfTestPatience = 2 * time.Minute

// selfTest has the store find out whether it is what its type claims, if it has a test for that.
func selfTest(ctx context.Context, w *witness.Witness) []Finding {
	const asked = "self-test of the witness"
	ctx, cancel := context.WithTimeout(ctx, selfTestPatience)
	defer cancel()
	seen, err := w.SelfTest(ctx)
	switch {
	case errors.Is(err, witness.ErrNoSelfTest):
		return nil
	case err != nil:
		return []Finding{witnessFault(asked, "", err)}
	}
	return []Finding{{Level: OK, Asked: asked, Got: seen}}
}

// readAll reads all records. It has not answered if the first read brought nothing.
func (l *live) readAll(ctx context.Context, w *witness.Witness) (out []Finding, answered bool) {
	// The first read opens the connection, which agents keep open: it is not what the bounds count.
	if _, err := l.readOwnFlag(ctx, w); err != nil && witness.ClassOf(err) != witness.Malformed {
		return []Finding{witnessFault("witness", "", err)}, false
	}
	ctx, cancel := context.WithTimeout(ctx, l.Params.RequestTimeout)
	defer cancel()
	began := time.Now()
	round := w.ReadRound(ctx, true)
	out = []Finding{l.roundTrip(time.Since(began))}
	for i, m := range l.Params.Members {
		out = append(out, l.infoRecord(m, round.Infos[i], round.InfoErrors[i]))
	}
	for i, m := range l.Params.Members {
		out = append(out, flag(m, round.Flags[i], round.FlagErrors[i]))
	}
	return out, true
}

func (l *live) readOwnFlag(ctx context.Context, w *witness.Witness) (lease.FlagRead, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Params.RequestTimeout)
	defer cancel()
	return w.ReadFlag(ctx, l.Params.Region)
}

// roundTrip compares the time of a round of reads with what the bounds assume.
func (l *live) roundTrip(took time.Duration) Finding {
	f := Finding{Level: OK, Asked: "witness", Got: fmt.Sprintf("all records were read in %s; the bounds assume %v", millis(took), l.RoundTrip)}
	if took > l.RoundTrip {
		f.Level = Warning
		f.Remedy = "ask again; if it stays so, the gap after a death is longer than its bound by up to three times the difference"
	}
	return f
}

// witnessFault is the finding of a read that failed, or that brought what can't be believed.
func witnessFault(asked string, region lease.Region, err error) Finding {
	f := Finding{Level: Problem, Asked: asked, Region: region, Got: err.Error(), Remedy: "see that the witness runs, and that this host reaches it"}
	var e *witness.Error
	if errors.As(err, &e) && e.Remedy != "" {
		bare := *e
		bare.Remedy = ""
		f.Got, f.Remedy = bare.Error(), e.Remedy
	}
	return f
}

func millis(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
