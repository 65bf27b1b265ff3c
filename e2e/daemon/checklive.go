package daemon

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

// A Finding is what check --live says of one thing that it has asked.
type Finding struct {
	Level    string       `json:"level"` // ok, warning or problem, among others
	Asked    string       `json:"asked"`
	Region   lease.Region `json:"region"`
	Resolver string       `json:"resolver"`
	Got      string       `json:"got"`
	Remedy   string       `json:"remedy"`
}

// CheckLive runs check --live in the region, with a configuration that may be another than its own. It returns the exit code, what was
// found, and all that was printed. The command is run by the words in through, if there are any, as in "env", "A=B".
func (r *Region) CheckLive(tb testing.TB, config string, through ...string) (code int, found []Finding, out string) {
	tb.Helper()
	argv := append(slices.Clone(through), r.group.Binaries.Daemon, "check", "--live", "-o", "json", "--config", config)
	p, err := StartProcess(argv...)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), Patience)
	defer cancel()
	code, err = p.Wait(ctx)
	stdout, stderr := p.Output()
	var result struct{ Live []Finding }
	if err != nil || json.Unmarshal([]byte(stdout), &result) != nil || len(result.Live) == 0 {
		tb.Fatalf("check --live: exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	return code, result.Live, stdout + stderr
}

// WitnessProblems are those of the findings that are problems of the witness.
func WitnessProblems(found []Finding) (problems []Finding) {
	for _, f := range found {
		if f.Level == "problem" && strings.HasSuffix(f.Asked, "witness") {
			problems = append(problems, f)
		}
	}
	return problems
}
