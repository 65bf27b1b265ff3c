package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

var (
	traceOut    = flag.String("trace-out", "", "TestTraces writes the traces of its worlds to this `file` too")
	traceWorlds = flag.Uint64("trace-worlds", 12, "TestTraces: how `many` worlds")
)

// A tracer writes what is observed of a world as tracecheck reads it.
type tracer struct {
	to  *json.Encoder
	err error
}

// traceLine is a line of a trace (package tracecheck).
type traceLine struct {
	World    string `json:"world,omitempty"`
	Clock    string `json:"clock,omitempty"`
	Complete bool   `json:"complete,omitempty"`

	At     Time          `json:"at"`
	Region lease.Region  `json:"region,omitempty"`
	Agent  string        `json:"agent,omitempty"`
	Params *lease.Params `json:"params,omitempty"`
	Step   *audit.Step   `json:"step,omitempty"`
	Still  *bool         `json:"still,omitempty"`
	Layers *bool         `json:"layers,omitempty"`
	Landed *landedLine   `json:"landed,omitempty"`
	Hidden bool          `json:"hidden,omitempty"`
}

type landedLine struct {
	Witness int           `json:"witness"`
	WriteID lease.WriteID `json:"write_id"`
}

func (tr *tracer) write(l traceLine) {
	if tr.err == nil {
		tr.err = tr.to.Encode(l)
	}
}

// world writes the trace of a world.
func (tr *tracer) world(name string, cfg Config) Result {
	tr.write(traceLine{World: name, Clock: "true", Complete: true})
	cfg.Observe = func(o Observation) {
		l := traceLine{At: o.At, Region: o.Region, Agent: o.Agent, Still: o.Still, Layers: o.Layers, Hidden: o.Hidden}
		if o.Landing != nil {
			l.Landed = &landedLine{o.Landing.Witness, o.Landing.WriteID}
		}
		if s := o.Step; s != nil {
			l.Step = &audit.Step{Now: s.Now, Event: s.Event, Actions: s.Actions}
			if _, is := s.Event.(lease.Start); is {
				l.Params = &s.Params
			}
		}
		tr.write(l)
	}
	return Run(cfg)
}

// buildTracecheck builds the program that judges traces.
func buildTracecheck(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tracecheck")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "../../tracecheck").CombinedOutput(); err != nil {
		t.Fatalf("build tracecheck: %v\n%s", err, out)
	}
	return path
}

// judgeTraces gives the traces that write writes to the program, and returns what it says and its exit code.
func judgeTraces(t *testing.T, program string, write func(*tracer)) (said string, code int) {
	t.Helper()
	cmd := exec.Command(program, "-v")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	to := bufio.NewWriterSize(in, 1<<16)
	tr := &tracer{to: json.NewEncoder(to)}
	if *traceOut != "" {
		f, err := os.OpenFile(*traceOut, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		tr.to = json.NewEncoder(io.MultiWriter(to, f))
	}
	write(tr)
	for _, err := range []error{tr.err, to.Flush(), in.Close()} {
		if err != nil {
			t.Fatalf("write a trace: %v", err)
		}
	}
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() < 0 {
		t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestTraces has tracecheck, which shares no code with the core, judge what regions are told and do in worlds of all
// kinds.
func TestTraces(t *testing.T) {
	said, code := judgeTraces(t, buildTracecheck(t), func(tr *tracer) {
		for i := range *traceWorlds {
			seed := *firstSeed + i
			if v := tr.world(fmt.Sprintf("seed %d", seed), draw(seed)).Violation; v != "" {
				t.Errorf("seed %d: %s", seed, v)
			}
		}
	})
	t.Log(said)
	if code != 0 {
		t.Errorf("tracecheck ends with exit code %d, want 0", code)
	}
	for line := range strings.Lines(said) {
		if *traceWorlds >= 6 && !*several && !*square && strings.HasPrefix(strings.TrimSpace(line), "0  ") {
			t.Errorf("an invariant was never looked at: %s", line)
		}
	}
}

// TestTracesOfCandidate: a candidate has asked for pledges, takes by the witness before they have come, and they extend its authority.
// It was found as one that no base was sent for.
func TestTracesOfCandidate(t *testing.T) {
	said, code := judgeTraces(t, buildTracecheck(t), func(tr *tracer) { tr.world("candidate", DrawBroken(500010, Square)) })
	if code != 0 {
		t.Errorf("tracecheck ends with exit code %d, want 0:\n%s", code, said)
	}
}

// TestTracesOfMutants has tracecheck find what regions do that leave a rule of the protocol out, in the worlds of
// TestMutants in which that does harm to safety.
func TestTracesOfMutants(t *testing.T) {
	program := buildTracecheck(t)
	for _, m := range mutants {
		if slices.ContainsFunc([]string{"gap", "liveness:", "hand-overs:", "stop:"}, func(kind string) bool { return strings.HasPrefix(m.kind, kind) }) {
			continue // it judges safety alone, and a trace ends with the agent: what is left of its layers is not in it
		}
		t.Run(strings.Join(codes(m.without), "+"), func(t *testing.T) {
			cfg := DrawBroken(m.seed, m.world)
			cfg.Without = m.without
			said, code := judgeTraces(t, program, func(tr *tracer) { tr.world("mutant", cfg) })
			if m.world.breaks() { // it is not the assumption that is found
				kept := cfg
				kept.Without = nil
				if said, code := judgeTraces(t, program, func(tr *tracer) { tr.world("core", kept) }); code != 0 && code != 3 {
					t.Errorf("the core itself: tracecheck ends with exit code %d, want 0, or 3 for a broken assumption\n%s", code, said)
				}
			}
			if code != 1 {
				t.Errorf("tracecheck ends with exit code %d, want 1\n%s", code, said)
			}
			for line := range strings.Lines(said) {
				if !strings.Contains(line, "an assumption") {
					t.Log(line)
					break
				}
			}
		})
	}
}
