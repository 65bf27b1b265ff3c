package operate_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// params have room for a machine that is busy with other tests.
func params() lease.Params {
	return lease.Params{
		Members: []lease.Region{"fsn", "hel", "nbg"},
		TTL:     6 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond,
		PollInterval: 250 * time.Millisecond, RequestTimeout: 2 * time.Second, FenceTimeout: 2 * time.Second,
		MaxClockDrift: 0.002,
	}
}

// A world is a group of three regions that can ask one another.
type world struct {
	t *testing.T
	*daemon.Group
}

// newWorld starts a group, with sections of the configuration in which REGION is each region's name.
func newWorld(t *testing.T, sections string) *world {
	t.Helper()
	p := params()
	lab := resolvers.Start(t, p.Members)
	w := &world{t, daemon.NewGroup(t, daemon.Build(t, true), p, lab.Quorum(p.RequestTimeout*3/4))}
	for _, r := range w.Regions {
		r.Configure(t, "", strings.ReplaceAll(sections, "REGION", string(r.Name)))
		r.Start(t)
	}
	return w
}

func (w *world) region(name lease.Region) *daemon.Region {
	for _, r := range w.Regions {
		if r.Name == name {
			return r
		}
	}
	w.t.Fatalf("there is no region %s", name)
	return nil
}

// await waits until a condition holds of a region.
func (w *world) await(name lease.Region, what string, holds func(daemon.Status) bool) daemon.Status {
	w.t.Helper()
	return w.region(name).Await(w.t, what, holds)
}

// makeActive has a region be active, in a group that elects one by itself.
func (w *world) makeActive(name lease.Region) {
	w.t.Helper()
	s := w.await(name, "knows of a holder", func(s daemon.Status) bool {
		return s.Holder != "" && (s.State == lease.Standby || s.State == lease.Active)
	})
	if s.Holder != name {
		w.await(s.Holder, "is active", active)
		w.await(name, "stands by", standby)
		w.does(s.Holder, "switchover --to "+string(name)+why, 0)
	}
	w.await(name, "is active", active)
}

func active(s daemon.Status) bool { return s.State == lease.Active && s.AllLayers("active") }

// standby is one that reaches all others.
func standby(s daemon.Status) bool {
	for _, p := range s.Peers {
		if !p.Known || p.Quorum == nil || !p.Quorum.Reached {
			return false
		}
	}
	return s.State == lease.Standby && s.Witness.Up
}

func asks(kind lease.RequestKind) func(daemon.Status) bool {
	return func(s daemon.Status) bool { return s.Approval.Kind == kind }
}

// nobodyTakes looks at the regions for some time, in which none may become active.
func (w *world) nobodyTakes(d time.Duration, names ...lease.Region) {
	w.t.Helper()
	tick := time.NewTicker(daemon.LookAgain)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		for _, name := range names {
			if s, err := w.region(name).Status(w.t.Context()); err == nil && s.State == lease.Active {
				w.t.Fatalf("%s has become active: %s", name, s.Reason.Code)
			}
		}
	}
}

func (w *world) kill(name lease.Region) {
	w.t.Helper()
	if err := w.region(name).Process().Kill(); err != nil {
		w.t.Fatal(err)
	}
}

// does runs a verb in a region, wants an exit code, and parts of what it prints.
func (w *world) does(name lease.Region, verb string, code int, parts ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	got, output, err := w.region(name).CLI(ctx, strings.Fields(verb)...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("%s $ failoverd %s\n%s[%d]", name, verb, output, got)
	if got != code {
		w.t.Errorf("%s: failoverd %s: exit code %d, want %d", name, verb, got, code)
	}
	for _, part := range parts {
		if !strings.Contains(output, part) {
			w.t.Errorf("%s: failoverd %s: there is no %q in what it prints", name, verb, part)
		}
	}
}

// types runs a verb on a terminal, and types answers.
func (w *world) types(name lease.Region, verb, answers string, parts ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	line := fmt.Sprintf("%s %s --config %s", w.Binaries.Daemon, verb, w.region(name).ConfigFile())
	cmd := exec.CommandContext(ctx, "script", "-qec", line, "/dev/null")
	cmd.Stdin = strings.NewReader(answers)
	output, err := cmd.CombinedOutput()
	w.t.Logf("%s $ failoverd %s\n%s[%v]", name, verb, output, err)
	for _, part := range parts {
		if !strings.Contains(string(output), part) {
			w.t.Errorf("%s: failoverd %s: there is no %q in what it prints", name, verb, part)
		}
	}
}
