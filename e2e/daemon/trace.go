package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// A traceLine is one of a trace (package tracecheck).
type traceLine struct {
	At     lease.Instant   `json:"at"`
	Region lease.Region    `json:"region"`
	Agent  string          `json:"agent"`
	Params json.RawMessage `json:"params,omitempty"`
	Step   json.RawMessage `json:"step,omitempty"`
	Gap    bool            `json:"gap,omitempty"`
}

// A tracer makes lines of the entries of one agent's journal. What an entry of the kind run or gap says is told with
// the step behind it, whose time is known.
type tracer struct {
	region lease.Region
	agent  string
	params json.RawMessage
	gap    bool
	lines  []traceLine
}

func (tr *tracer) take(e audit.Entry) error {
	switch e.Kind {
	case audit.KindRun:
		var run struct{ Params json.RawMessage }
		if err := json.Unmarshal(e.Body, &run); err != nil {
			return err
		}
		tr.params = run.Params
	case audit.KindGap:
		tr.gap = true
	case audit.KindStep:
		var step struct{ Now lease.Instant }
		if err := json.Unmarshal(e.Body, &step); err != nil {
			return err
		}
		l := traceLine{At: step.Now, Region: tr.region, Agent: tr.agent}
		if tr.gap {
			gap := l
			gap.Gap, tr.gap = true, false
			tr.lines = append(tr.lines, gap)
		}
		l.Step, l.Params, tr.params = e.Body, tr.params, nil
		tr.lines = append(tr.lines, l)
	}
	return nil
}

// trace is what the agents of the regions have been told and have done, by their journals, in the order of time: they
// all run on one machine, so there is one boot clock.
func trace(regions []*Region) ([]byte, error) {
	var lines []traceLine
	for _, r := range regions {
		tr := tracer{region: r.Name, agent: string(r.Name) + r.instance}
		if _, err := audit.Verify(filepath.Join(r.StateDir(), "audit"), nil, func(_ string, e audit.Entry) error { return tr.take(e) }); err != nil {
			return nil, fmt.Errorf("the journal of %s: %w", tr.agent, err)
		}
		lines = append(lines, tr.lines...)
	}
	slices.SortStableFunc(lines, func(a, b traceLine) int { return int(a.At.Sub(b.At)) })
	var out bytes.Buffer
	out.WriteString(`{"world":"the journals","clock":"boot"}` + "\n")
	to := json.NewEncoder(&out)
	for _, l := range lines {
		if err := to.Encode(l); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// Judge has tracecheck, which shares no code with the daemon, judge what the agents of the regions have been told and
// have done, and says what it finds. It logs what it has looked at. The journal of an agent that was killed may lack
// its last entries.
func Judge(tb testing.TB, regions ...*Region) (bad []string) {
	tb.Helper()
	told, err := trace(regions)
	if err != nil {
		tb.Fatalf("daemon: %v", err)
	}
	module, err := moduleRoot()
	if err != nil {
		tb.Fatalf("daemon: %v", err)
	}
	program := filepath.Join(tb.TempDir(), "tracecheck")
	goBuild(tb, module, []string{"build", "-buildvcs=false", "-o", program, "./tracecheck"})
	cmd := exec.Command(program, "-v")
	cmd.Stdin = bytes.NewReader(told)
	said, err := cmd.CombinedOutput()
	if err == nil {
		tb.Logf("tracecheck: %s", said)
		return nil
	}
	bad = append(bad, fmt.Sprintf("tracecheck: %v", err), keep(told))
	for line := range strings.Lines(string(said)) {
		bad = append(bad, "tracecheck: "+strings.TrimSpace(line))
	}
	return bad
}

// keep leaves a trace that was found to be wrong, and says where.
func keep(trace []byte) string {
	f, err := os.CreateTemp("", "trace-*.jsonl")
	if err == nil {
		_, err = f.Write(trace)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return fmt.Sprintf("the trace could not be kept: %v", err)
	}
	return "the trace is in " + f.Name()
}
