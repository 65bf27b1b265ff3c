package bench

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// appliedLine is what e2e/httproute says of a round.
var appliedLine = regexp.MustCompile(`(\d+) routes: a bare client writes them in (\S+); fenced in (\S+) .*, activated in (\S+) `)

// TestApplying has e2e/httproute measure, which has the layer and a bare client write a thousand routes to a real API server, in turns.
func TestApplying(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-run", "^TestThousandRoutes$", "./httproute")
	cmd.Dir = filepath.Join(module(t), "e2e")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, said.Bytes())
	}
	a := Applying{}
	for _, m := range appliedLine.FindAllStringSubmatch(said.String(), -1) {
		r, err := applyingRound(m)
		if err != nil {
			t.Fatalf("%q: %v", m[0], err)
		}
		t.Logf("%+v", r)
		a.Rounds = append(a.Rounds, r)
	}
	if len(a.Rounds) == 0 {
		t.Fatalf("it says nothing of a round, as in %v:\n%s", appliedLine, said.Bytes())
	}
	a.Machine = ThisMachine(t)
	save(t, "applying.json", a)
}

func applyingRound(match []string) (r ApplyingRound, err error) {
	if r.Objects, err = strconv.Atoi(match[1]); err != nil {
		return r, err
	}
	for i, to := range []*float64{&r.Bare, &r.Fenced, &r.Activated} {
		d, err := time.ParseDuration(match[2+i])
		if err != nil {
			return r, fmt.Errorf("no time: %w", err)
		}
		*to = d.Seconds()
	}
	return r, nil
}
