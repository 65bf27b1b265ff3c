package lease_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// TestViolations spoils one parameter at a time: each is named, by what it is called
// in the configuration, with both sides of the inequality that it breaks.
func TestViolations(t *testing.T) {
	if v := defaults().Violations(); len(v) > 0 {
		t.Fatalf("the defaults violate %q", v)
	}
	tests := []struct {
		name  string
		spoil func(*lease.Params)
		field string
		text  string
	}{
		{"no group", func(p *lease.Params) { p.Group = "" }, "group", "empty"},
		{"alone", func(p *lease.Params) { p.Members = p.Members[:1] }, "members", "1 of at least 2"},
		{"not a member", func(p *lease.Params) { p.Region = "z" }, "region", `"z"`},
		{"member twice", func(p *lease.Params) { p.Members = []lease.Region{"a", "b", "a"} }, "members", `"a" twice`},
		{"absent stranger", func(p *lease.Params) { p.KnownAbsent = []lease.Region{"z"} }, "member-absent", `"z"`},
		{"absent itself", func(p *lease.Params) { p.KnownAbsent = []lease.Region{"a"} }, "member-absent", `"a"`},
		{"no ttl", func(p *lease.Params) { p.TTL = 0 }, "lease.ttl", "0s"},
		{"negative renewal", func(p *lease.Params) { p.RenewInterval = -time.Second }, "lease.renew_interval", "-1s"},
		{"negative staleness", func(p *lease.Params) { p.Staleness = -1 }, "witness.staleness", "-1ns"},
		{"endless ttl", func(p *lease.Params) { p.TTL = math.MaxInt64 }, "lease.ttl", "at most 1h"},
		{"endless staleness", func(p *lease.Params) { p.Staleness = math.MaxInt64 }, "witness.staleness", "at most 24h"},
		{"perfect clock", func(p *lease.Params) { p.MaxClockDrift = 0 }, "lease.max_clock_drift", "at least 0.06%"},
		{"broken clock", func(p *lease.Params) { p.MaxClockDrift = 0.2 }, "lease.max_clock_drift", "at most 10%"},
		{"clock of no number", func(p *lease.Params) { p.MaxClockDrift = math.NaN() }, "lease.max_clock_drift", "NaN"},
		{"fences before it renews", func(p *lease.Params) { p.FenceTimeout = 30 * time.Second }, "lease.fence_timeout", "30s < 30s"},
		{"one lost renewal fences", func(p *lease.Params) { p.RenewInterval = 15 * time.Second }, "lease.renew_interval", "15s + 5s < 30s - 10s"},
		{"renewal beyond all", func(p *lease.Params) { p.RenewInterval = math.MaxInt64 }, "lease.renew_interval", "does not hold"},
		{"request beyond all", func(p *lease.Params) { p.RequestTimeout = math.MaxInt64 }, "lease.renew_interval", "does not hold"},
		{"retry after renewal", func(p *lease.Params) { p.RetryInterval = 11 * time.Second; p.FenceTimeout = time.Second }, "lease.retry_interval", "11s <= 10s"},
		{"poll after renewal", func(p *lease.Params) { p.PollInterval = 11 * time.Second }, "lease.poll_interval", "11s <= 10s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := defaults()
			tt.spoil(&p)
			violations := p.Violations()
			if len(violations) == 0 || violations[0].Field != tt.field || !strings.Contains(violations[0].Text, tt.text) {
				t.Errorf("got %q, want one of %s that says %q", violations, tt.field, tt.text)
			}
			defer func() {
				if recover() == nil {
					t.Error("New takes it all the same")
				}
			}()
			lease.New(p)
		})
	}
}

// TestLonger pins down what "longer" promises (§2): if one clock is as fast as it may
// be and the other as slow, d has passed on the slow one, and no wait is longer
// than it has to be.
func TestLonger(t *testing.T) {
	for _, drift := range []float64{0.0006, 0.002, 0.01, 0.1} {
		for _, d := range []time.Duration{0, 1, time.Millisecond, 30 * time.Second, 90 * time.Second, 25 * time.Hour} {
			got := lease.Params{MaxClockDrift: drift}.Longer(d)
			trueTime := float64(got) / (1 + drift) // the waiter's clock is fast: little true time has passed
			if onOther := trueTime * (1 - drift); onOther < float64(d) {
				t.Errorf("longer(%v) = %v with drift %g: only %v on the other's clock", d, got, drift, time.Duration(onOther))
			}
			if least := time.Duration(math.Ceil(float64(d) * (1 + drift) / (1 - drift))); got > least+1 {
				t.Errorf("longer(%v) = %v with drift %g, want no more than %v", d, got, drift, least+1)
			}
		}
	}
}

// TestBounds compares the bounds with the table of docs/protocol.md §6: TTL 30s,
// drift 0.2%, and a witness that answers at once.
func TestBounds(t *testing.T) {
	linearizable, workersKV := defaults(), defaults()
	linearizable.Staleness, linearizable.PollInterval = 0, time.Second
	tests := []struct {
		name string
		got  time.Duration
		want time.Duration // rounded to 0.1s
	}{
		{"fencing starts", workersKV.FenceStart(), 20 * time.Second},
		{"flag raised", workersKV.RaiseAfter(), 25100 * time.Millisecond},
		{"earliest takeover, linearizable", linearizable.EarliestTakeover(), 30100 * time.Millisecond},
		{"earliest takeover, Workers KV", workersKV.EarliestTakeover(), 90400 * time.Millisecond},
		{"longest gap, linearizable", linearizable.LongestGapFresh(100 * time.Millisecond), 31400 * time.Millisecond},
		{"... is the same if nothing is stale", linearizable.LongestGapStale(100 * time.Millisecond), 31400 * time.Millisecond},
		{"longest gap, Workers KV, fresh", workersKV.LongestGapFresh(100 * time.Millisecond), 92700 * time.Millisecond},
		{"longest gap, Workers KV, stale", workersKV.LongestGapStale(100 * time.Millisecond), 152900 * time.Millisecond},
		{"turn, linearizable", linearizable.Turn(), 10 * time.Second},
		{"turn, Workers KV", workersKV.Turn(), 130500 * time.Millisecond},
	}
	for _, tt := range tests {
		if got := tt.got.Round(100 * time.Millisecond); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	workersKV.Quorum = true
	if n := len(workersKV.Bounds(0)); n != 8 {
		t.Errorf("Bounds lists %d promises, want 8", n)
	}
}

// TestSafety shows that what safety rests on is compared, and by name; and that what
// a region may choose for itself is not.
func TestSafety(t *testing.T) {
	base := defaults()
	base.Keys = map[lease.Region]string{"a": "KA", "b": "KB"}
	tests := []struct {
		name   string
		change func(*lease.Params)
		want   string // the parameters that differ
	}{
		{"nothing", func(*lease.Params) {}, ""},
		{"group", func(p *lease.Params) { p.Group = "h" }, "group"},
		{"order of members", func(p *lease.Params) { p.Members = []lease.Region{"b", "a"} }, "members"},
		{"ttl", func(p *lease.Params) { p.TTL = 31 * time.Second }, "ttl"},
		{"staleness", func(p *lease.Params) { p.Staleness = 0 }, "staleness"},
		{"drift", func(p *lease.Params) { p.MaxClockDrift = 0.01 }, "max_clock_drift"},
		{"a key", func(p *lease.Params) { p.Keys = map[lease.Region]string{"a": "KA", "b": "K"} }, "public_key/b"},
		{"a key less", func(p *lease.Params) { p.Keys = map[lease.Region]string{"a": "KA"} }, "public_key/b"},
		{"region", func(p *lease.Params) { p.Region = "b" }, ""},
		{"times of its own", func(p *lease.Params) {
			p.RenewInterval, p.RetryInterval, p.PollInterval, p.RequestTimeout, p.FenceTimeout = 1, 1, 1, 1, 1
		}, ""},
		{"absent", func(p *lease.Params) { p.KnownAbsent = []lease.Region{"b"} }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := base
			tt.change(&p)
			if got := strings.Join(lease.SafetyDiff(base.Safety(), p.Safety()), " "); got != tt.want {
				t.Errorf("differ in %q, want %q", got, tt.want)
			}
			same := lease.SafetyHash(base.Safety()) == lease.SafetyHash(p.Safety())
			if same != (tt.want == "") {
				t.Errorf("hashes are the same: %v, want %v", same, tt.want == "")
			}
		})
	}
}
