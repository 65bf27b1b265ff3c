package daemon_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestSignals sends a daemon the signals that service managers send.
func TestSignals(t *testing.T) {
	group := daemon.NewGroup(t, daemon.Build(t, true), daemon.DefaultTimes("fsn", "hel"), nil)
	r := group.Regions[0]
	p := r.Start(t)
	for _, tt := range []struct {
		name     string
		from, to string
		says     []string
	}{
		{"nothing changed", "", "", []string{"[INFO]", "reload: nothing changed"}},
		{"log level", "level: debug", "level: info", []string{"[INFO]", "reload: applied", "log.level"}},
		{"what needs a restart", "ttl: 30s", "ttl: 45s", []string{"[WARN]", "need a restart", "lease.ttl"}},
		{"a defect", "group: e2e", "grupo: e2e", []string{"[ERROR]", "the one that runs stays", "failoverd.yaml:1:1", "grupo"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			yaml := strings.Replace(r.YAML(), tt.from, tt.to, 1)
			if err := os.WriteFile(r.ConfigFile(), []byte(yaml), 0o600); err != nil {
				t.Fatal(err)
			}
			_, before := p.Output()
			if err := p.Reload(); err != nil {
				t.Fatal(err)
			}
			limit := time.NewTimer(time.Minute)
			defer limit.Stop()
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				_, now := p.Output()
				missing := slices.DeleteFunc(slices.Clone(tt.says), func(s string) bool { return strings.Contains(now[len(before):], s) })
				if len(missing) == 0 {
					break
				}
				select {
				case <-tick.C:
				case <-limit.C:
					t.Fatalf("it does not say %q:\n%s", missing, now[len(before):])
				}
			}
			r.Ask(t) // it goes on
		})
	}
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if code, err := p.Wait(ctx); err != nil || code != 0 {
		t.Errorf("after SIGTERM: exit code %d, %v; want 0", code, err)
	}
	if _, stderr := p.Output(); !strings.Contains(stderr, "stopped: fenced, and authority given up") {
		t.Error("it does not say that it is fenced")
	}
}
