package check_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
	"github.com/openova-io/failoverd/lease/witness/s3"
	"github.com/openova-io/failoverd/lease/witness/s3/s3test"
)

// staleness is that of a store that is stale: long enough that a busy machine reads several times meanwhile.
const staleness = 2 * time.Second

// long is for how long a measurement would go on that nobody ends.
const long = time.Hour

// quick are parameters with which a measurement takes a moment.
func quick(bound time.Duration) lease.Params {
	p := params("fsn")
	p.RenewInterval, p.RetryInterval, p.PollInterval, p.Staleness = 50*time.Millisecond, 10*time.Millisecond, 10*time.Millisecond, bound
	return p
}

// measure measures a witness until what it says of its progress is enough.
func measure(t *testing.T, cfg check.Config, enough func(progress string) bool) check.Finding {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.Waiting = func(what []string) {
		if len(what) == 1 && enough(what[0]) {
			cancel()
		}
	}
	found := check.Measure(ctx, cfg, long)
	if len(found) != 1 || found[0].Measured == nil || found[0].Measured.Seconds >= long.Seconds() {
		t.Fatalf("got %+v, want what was measured until it was ended", found)
	}
	return found[0]
}

// rounds is enough after so many of them.
func rounds(n int) func(string) bool {
	return func(string) bool { n--; return n <= 0 }
}

// kvWitness is a namespace of Workers KV as a region sees it whose reads meet faults, and as hel does, which is active
// and renews its flag all the time, with stamps or without.
func kvWitness(t *testing.T, faults kvtest.Faults, stamped bool) *witness.Witness {
	t.Helper()
	srv := kvtest.New(kvtest.Options{Tokens: []string{"fsn", "hel"}})
	t.Cleanup(srv.Close)
	srv.SetFaults("fsn", faults)
	open := func(region string) *witness.Witness {
		store, err := cloudflarekv.New(cloudflarekv.Config{AccountID: kvtest.AccountID, NamespaceID: kvtest.NamespaceID, Token: region, BaseURL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		w, err := witness.New(store, witness.Config{Prefix: "failoverd", Group: "rtz", Region: lease.Region(region), Members: []lease.Region{"fsn", "hel"},
			PrivateKey: keyOf(region), PublicKeys: keysOf("fsn", "hel")})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	hel := open("hel")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var writes witness.Writes
	begun := time.Now()
	write := func() error {
		stamp := writes.Begin(time.Since(begun))
		flag := lease.Flag{State: lease.FlagActive, Epoch: 1, WriteID: lease.NewWriteID(1, stamp.Attempt)}
		n := stamp.Attempt
		if !stamped {
			stamp = nil
		}
		err := hel.WriteFlag(ctx, flag, stamp)
		if err == nil {
			writes.Acked(n, time.Since(begun))
		}
		return err
	}
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond) // at full speed a stamp would tell of a moment alone
		defer tick.Stop()
		for {
			if err := write(); err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return open("fsn")
}

// TestMeasureStale: a store that serves what is old is found to, by another region's records alone, by less than it
// does, and a bound is proposed that is greater.
func TestMeasureStale(t *testing.T) {
	const old = staleness
	w := kvWitness(t, kvtest.Faults{Staleness: old, Caches: 2}, true)
	f := measure(t, check.Config{Params: quick(0), Witnesses: witness.Several{w}}, func(progress string) bool {
		return !strings.HasSuffix(progress, "the stalest by 0.0 s)") && !strings.HasSuffix(progress, "the stalest by 0.1 s)")
	})
	m := f.Measured
	if f.Level != check.Problem || m.Stalest <= 0.1 || m.Stalest > old.Seconds() || m.Newer == 0 || m.Reads == 0 || m.Proposed == nil || *m.Proposed <= m.Stalest {
		t.Errorf("got %+v of %v, want a problem: it was read as stale as %v", m, f, old)
	}
	if want := "raise witness.staleness to"; !strings.Contains(f.Remedy, want) || !strings.Contains(f.Got, "of the flag of hel, was stale by") {
		t.Errorf("got %v, want whose flag it was, and %q", f, want)
	}
}

// TestMeasureWithinTheBound: with a bound that is declared and kept all is well, and no less than the store's own is
// proposed.
func TestMeasureWithinTheBound(t *testing.T) {
	w := kvWitness(t, kvtest.Faults{Staleness: staleness}, true)
	f := measure(t, check.Config{Params: quick(time.Minute), Witnesses: witness.Several{w}, Least: []time.Duration{time.Minute}}, func(progress string) bool {
		return !strings.HasSuffix(progress, "the stalest by 0.0 s)")
	})
	if m := f.Measured; f.Level != check.OK || f.Remedy != "" || m.Stalest == 0 || m.Proposed == nil || *m.Proposed != 60 || m.Bound != 60 {
		t.Errorf("got %+v of %v, want it well", m, f)
	}
}

// TestMeasureNothing: records of a version that says nothing of its writing, or that stay as they are, tell nothing, and
// nothing is proposed.
func TestMeasureNothing(t *testing.T) {
	f := measure(t, check.Config{Params: quick(time.Minute), Witnesses: witness.Several{kvWitness(t, kvtest.Faults{}, false)}}, rounds(20))
	if m := f.Measured; f.Level != check.Warning || f.Remedy == "" || m.Reads == 0 || m.Newer != 0 || m.Proposed != nil {
		t.Errorf("got %+v of %v, want that nothing is known", m, f)
	}
}

// TestMeasureFails: calls that fail are told of.
func TestMeasureFails(t *testing.T) {
	f := measure(t, check.Config{Params: quick(time.Minute), Witnesses: witness.Several{kvWitness(t, kvtest.Faults{ServerError: 1}, true)}}, rounds(3))
	if m := f.Measured; f.Level != check.Warning || m.Reads != 0 || m.Failed != 6 || !strings.Contains(f.Got, "6 calls failed, the last one: get ") {
		t.Errorf("got %+v of %v, want that all has failed", m, f)
	}
}

// TestMeasureScratch: a store that may be written to is measured without an agent, and has nothing left in it after. One
// that is linearizable is not found to be stale; one that is not is.
func TestMeasureScratch(t *testing.T) {
	for name, faults := range map[string]s3test.Faults{"linearizable": {}, "stale": {StaleReads: 2}} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.New(faults)
			t.Cleanup(srv.Close)
			store, err := s3.New(s3.Config{Endpoint: srv.URL, Bucket: s3test.Bucket, Region: s3test.Region, PathStyle: true,
				AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey})
			if err != nil {
				t.Fatal(err)
			}
			w, err := witness.New(store, witness.Config{Prefix: "failoverd", Group: "rtz", Region: "fsn", Members: []lease.Region{"fsn", "hel"},
				PrivateKey: keyOf("fsn"), PublicKeys: keysOf("fsn", "hel")})
			if err != nil {
				t.Fatal(err)
			}
			enough, written := rounds(100), 0
			f := measure(t, check.Config{Params: quick(0), Witnesses: witness.Several{w}}, func(progress string) bool {
				written = len(srv.Objects())
				return enough(progress)
			})
			m := f.Measured
			if left := srv.Objects(); written != 1 || len(left) > 0 {
				t.Errorf("it has written %d objects, and left %q; want one, and nothing left", written, left)
			}
			if name == "stale" {
				if f.Level != check.Problem || m.Stalest == 0 || !strings.Contains(f.Got, "of the key of this check's own") {
					t.Errorf("got %+v of %v, want it found stale", m, f)
				}
				return
			}
			if f.Level != check.OK || m.Stalest != 0 || m.Newer < 5 || m.Proposed == nil || *m.Proposed != 0 || !strings.Contains(f.Got, "none was seen to be stale") {
				t.Errorf("got %+v of %v, want it well, and 0s proposed", m, f)
			}
		})
	}
}
