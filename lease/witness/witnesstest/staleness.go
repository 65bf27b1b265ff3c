package witnesstest

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

// RunStaleness does as RunLinearizable does, against a store that does not
// claim to be linearizable: it measures for how long a register's reads went
// on to return an older value after a newer one was acknowledged, and checks
// that the longest such time is within the store's bound.
func RunStaleness(t *testing.T, bound time.Duration, open func(t *testing.T) witness.Store, faults func(t *testing.T, c *Clients)) {
	t.Helper()
	stalest, read := staleness(runClients(t, open, faults))
	if stalest > bound {
		t.Errorf("a read was stale by %v, want at most %v: %v", stalest, bound, read)
	}
	t.Logf("the stalest read was so by %v, of a bound of %v", stalest, bound)
}

// staleness is the greatest time from the acknowledgement of a write to the
// sending of a read that returned an older value, and that read. A register's
// one writer puts one value after the other; what it put in an attempt of
// unknown outcome may land late, on top of newer ones, and shows nothing.
func staleness(history []operation) (time.Duration, operation) {
	written := map[string][]operation{} // by key, in the order of the writer
	for _, o := range history {
		if o.put && o.key != sharedKey {
			written[o.key] = append(written[o.key], o)
		}
	}
	var stalest time.Duration
	var by operation
	for _, o := range history {
		if o.put || o.key == sharedKey {
			continue
		}
		newer := written[o.key]
		if o.value != "" {
			for i, w := range newer {
				if w.value == o.value {
					newer = newer[i:]
					break
				}
			}
			if len(newer) == 0 || newer[0].answer == never {
				continue
			}
			newer = newer[1:]
		}
		for _, w := range newer {
			if w.answer == never {
				continue
			}
			if d := o.sent - w.answer; d > stalest {
				stalest, by = d, o
			}
			break
		}
	}
	return stalest, by
}
