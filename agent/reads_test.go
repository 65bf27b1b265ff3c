package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// A standby whose reads are a good deal staler than the witness may be finds that out by the active region's records. It
// says so in its log, once, in its status and to Prometheus, for as long as it remembers; nothing else comes of it.
func TestAnotherRegionsFlagIsReadStale(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.regions["a"], w.regions["b"]
		b.readsOld = 25 * time.Second
		a.start()
		b.start()
		w.until(5 * time.Minute)
		if a.agent.Status().State != lease.Active {
			t.Fatal("a is not active")
		}
		if s := a.agent.Status(); len(s.Alarms) > 0 || s.Witness.ObservedStaleness > 0 {
			t.Errorf("a, whose reads are fresh, has observed %v s and says %+v", s.Witness.ObservedStaleness, s.Alarms)
		}
		s := b.agent.Status()
		if s.State != lease.Standby {
			t.Errorf("b is %s, want it to be a standby as ever", s.State)
		}
		if of := s.Witness.ObservedByRegion; of["a"] < 10 || of["a"] > 25 || of["b"] != 0 || s.Witness.ObservedStaleness != of["a"] {
			t.Errorf("b has observed %v, %v in all; want 10 s of a at least, and no more than 25 s", of, s.Witness.ObservedStaleness)
		}
		if len(s.Alarms) != 1 || s.Alarms[0].Code != lease.NoticeWitnessStale || s.Alarms[0].Region != "a" || !strings.Contains(s.Alarms[0].Detail, "the bound is 0s") {
			t.Errorf("b says %+v, want that it has read what is staler than the bound, of a", s.Alarms)
		}
		_, page := b.get("/metrics")
		for _, want := range []string{
			`failoverd_alarm{about="a",reason="witness_stale",witness=""} 1`,
			`failoverd_witness_observed_staleness_seconds{region="b",witness=""} 0`,
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the metrics have no %s", want)
			}
		}
		b.set(func() { b.readsOld = 0 })
		w.until(5*time.Minute + witness.Remembered + time.Minute)
		if s := b.agent.Status(); len(s.Alarms) > 0 || s.Witness.ObservedStaleness > 0 {
			t.Errorf("long after it b has observed %v s and says %+v", s.Witness.ObservedStaleness, s.Alarms)
		}
		if n := strings.Count(b.log.String(), lease.ReasonOf(lease.NoticeWitnessStale).Title); n != 1 {
			t.Errorf("the log says so %d times, want once:\n%s", n, b.log.String())
		}
	})
}

// Reads that are as stale as the witness may be are shown, and are no alarm.
func TestAnotherRegionsFlagIsReadAsStaleAsItMayBe(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Staleness = 25 * time.Second
		a, b := w.regions["a"], w.regions["b"]
		b.readsOld = 25 * time.Second
		a.start()
		b.start()
		w.until(5 * time.Minute)
		if s := b.agent.Status(); len(s.Alarms) > 0 || s.Witness.ObservedStaleness < 10 || a.agent.Status().State != lease.Active {
			t.Errorf("b has observed %v s and says %+v; want 10 s at least of an active region, and no alarm", s.Witness.ObservedStaleness, s.Alarms)
		}
	})
}
