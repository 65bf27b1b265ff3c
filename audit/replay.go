package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/openova-io/failoverd/lease"
)

// A Replayed is what came of feeding a journal's events to the core.
type Replayed struct {
	Runs    int     `json:"runs"`             // of an agent
	Steps   int     `json:"steps"`            // that were the same
	Skipped int     `json:"skipped"`          // steps of a run whose beginning is not there any more, or that come after a gap
	Parted  *Parted `json:"parted,omitempty"` // nil: all were the same
}

// Parted is the first step in which the core of this version wants something else.
type Parted struct {
	Seq     uint64          `json:"seq"`
	Version string          `json:"version"` // that wrote it
	Event   json.RawMessage `json:"event"`
	Written []string        `json:"written"` // the actions in the journal
	Now     []string        `json:"now"`     // the actions of this version
}

// A Replayer feeds one entry after the other to the core.
type Replayer struct {
	Result Replayed

	state   *lease.State
	version string
}

// errParted ends a replay: what comes after it would differ by that alone.
var errParted = errors.New("the actions differ")

// Replay feeds the journal in a folder to the core, to the end, or until the core wants something else than was written.
func Replay(path string) (Replayed, error) {
	v, err := Verify(path, nil, nil)
	if err != nil {
		return Replayed{}, err
	}
	if len(v.Problems) > 0 {
		return Replayed{}, fmt.Errorf("the journal is damaged, so what it says is of no use: %s", v.Problems[0])
	}
	var r Replayer
	if _, err := Verify(path, nil, func(_ string, e Entry) error { return r.Take(e) }); err != nil && !errors.Is(err, errParted) {
		return Replayed{}, err
	}
	return r.Result, nil
}

// Take takes the next entry.
func (r *Replayer) Take(e Entry) error {
	switch e.Kind {
	case KindRun:
		var run Run
		if err := strict(e.Body, &run); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		r.Result.Runs++
		r.state, r.version = lease.New(run.Params), run.Version
	case KindGap:
		r.state = nil // what comes until the next run can't be judged
	case KindStep:
		if r.state == nil {
			r.Result.Skipped++
			return nil
		}
		return r.step(e)
	}
	return nil
}

func (r *Replayer) step(e Entry) error {
	now, ev, written, err := decodeStep(e.Body)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	actions, _ := r.state.Step(now, ev)
	var wanted []tagged
	for _, a := range actions {
		t, err := tag(a)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		wanted = append(wanted, t)
	}
	if !slices.EqualFunc(written, wanted, func(a, b tagged) bool { return a.Type == b.Type && bytes.Equal(a.With, b.With) }) {
		event, err := json.Marshal(ev)
		r.Result.Parted = &Parted{e.Seq, r.version, event, texts(written), texts(wanted)}
		return errors.Join(errParted, err)
	}
	r.Result.Steps++
	return nil
}

func texts(actions []tagged) (all []string) {
	for _, a := range actions {
		all = append(all, a.Type+" "+string(a.With))
	}
	return all
}
