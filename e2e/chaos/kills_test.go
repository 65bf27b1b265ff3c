package chaos

import (
	"flag"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var (
	killsFlag   = flag.Int("kills", 3, "TestKills: how `many` on each witness")
	witnessFlag = flag.String("witness", "", "TestKills: the `type` of the only witness to try")
)

// TestKills kills the holder on each kind of witness, with a TTL that only one that is never stale allows. No time is
// asserted: the machine may be busy. The figures are in its log.
func TestKills(t *testing.T) {
	params := lease.Params{
		Members: []lease.Region{"fsn", "hel", "nbg"},
		TTL:     3 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond,
		PollInterval: 200 * time.Millisecond, RequestTimeout: 500 * time.Millisecond, FenceTimeout: time.Second,
		MaxClockDrift: 0.002,
	}
	names := slices.Sorted(maps.Keys(witnesses))
	if *witnessFlag != "" {
		names = []string{*witnessFlag}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			if witnesses[name] == nil {
				t.Fatalf("-witness is %q, want one of %v", name, slices.Sorted(maps.Keys(witnesses)))
			}
			run(t, params, witnesses[name], *killsFlag, []kind{{"kill", (*world).kill}})
		})
	}
}
