package agent_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// testTerm is the record that the instances of a region share. It takes 10 ms.
type testTerm struct {
	mu     sync.Mutex
	record lease.TermRecord
	err    error // of Read
}

func (r *testTerm) set(record lease.TermRecord, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record, r.err = record, err
}

func (r *testTerm) Read(context.Context) (lease.TermRecord, bool, error) {
	time.Sleep(10 * time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.record, r.record.Beat > 0, r.err
}

func (r *testTerm) Write(_ context.Context, after, record lease.TermRecord) (lease.TermOutcome, error) {
	time.Sleep(10 * time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	if after.Beat != r.record.Beat || after.Term != r.record.Term {
		return lease.TermRefused, nil
	}
	r.record = record
	return lease.TermAcked, nil
}

// TestInstances has region a be two instances. Its lease goes on when the one that acts freezes, and when it is asked to stop;
// when the last one is, the region is handed over.
func TestInstances(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		w.params.RenewInterval = 8 * time.Second
		shared := &testTerm{}
		first, b := w.regions["a"], w.regions["b"]
		first.instance, first.term = "1", shared
		second := &region{world: w, name: "a", instance: "2", term: shared}
		first.start()
		b.start()
		w.until(time.Minute)
		second.start()
		defer second.kill()
		w.until(time.Minute + 2*time.Second)
		for _, page := range []string{"/readyz", "/readyz?gate=g"} {
			if code, body := second.get(page); code != http.StatusServiceUnavailable {
				t.Errorf("%s of one that follows and can prove nothing: %d %s", page, code, body)
			}
		}
		w.until(3 * time.Minute)
		for _, page := range []string{"/readyz", "/readyz?gate=g"} {
			if code, body := second.get(page); code != http.StatusOK {
				t.Errorf("%s of one that follows and can prove authority: %d %s", page, code, body)
			}
		}
		if s := first.agent.Status(); s.State != lease.Active || !s.Instance.Acts || !s.Instance.Confirmed {
			t.Fatalf("the first instance is %s, %+v; want it active: %s", s.State, s.Instance, first.log.String())
		}
		if s := second.agent.Status(); s.State != lease.Follower || s.Instance.Leader != "1" {
			t.Errorf("the second instance is %s, %+v; want it to follow the first", s.State, s.Instance)
		}
		epoch := first.agent.Status().Epoch
		if _, body := first.get("/metrics"); !strings.Contains(body, "failoverd_instance_acting 1\n") || !strings.Contains(body, `failoverd_witness_up{witness=""} 1`) {
			t.Errorf("/metrics of the one that acts:\n%s", body)
		}
		// One that follows does not know, and so does not say, what an alert would be for.
		_, body := second.get("/metrics")
		if !strings.Contains(body, "failoverd_instance_acting 0\n") {
			t.Errorf("/metrics of one that follows has no failoverd_instance_acting 0:\n%s", body)
		}
		for _, name := range []string{"witness_up", "lease_holder", "peer_state", "quorum_reached", "layer_state", "gate_open", "region_degraded"} {
			if strings.Contains(body, "\nfailoverd_"+name) {
				t.Errorf("/metrics of one that follows has failoverd_%s", name)
			}
		}

		if code, body := first.get("/readyz"); code != http.StatusOK {
			t.Errorf("/readyz of the one that acts: %d %s", code, body)
		}

		// Only the one that acts is told, and its record tells the others.
		pause := audit.Command{Verb: agent.Pause, For: time.Hour, User: "ada", Reason: "a test"}
		var refused *agent.RefusedError
		if err := second.agent.Command(t.Context(), pause, false); !errors.As(err, &refused) || refused.Gate.Code != lease.GateConfirmed {
			t.Errorf("one that follows is paused: %v; want it refused", err)
		}
		if err := first.agent.Command(t.Context(), pause, false); err != nil {
			t.Error(err)
		}
		w.until(3*time.Minute + time.Second)

		// The one that acts freezes: the other one inherits.
		first.freeze()
		w.until(3*time.Minute + 10*time.Second)
		if s := second.agent.Status(); s.State != lease.Active || s.Epoch != epoch || s.Reason.Code != lease.ReasonInherited || s.Layers[0].State != "active" {
			t.Errorf("the first one froze: the second is %s (%s) for epoch %d; want it active for %d", s.State, s.Reason.Code, s.Epoch, epoch)
		}
		if s := second.agent.Status(); s.Paused == nil || *s.Paused < 59*60 {
			t.Errorf("the region was paused, and its heir is for %v s, want almost an hour", s.Paused)
		}
		if err := second.agent.Command(t.Context(), audit.Command{Verb: agent.Resume, User: "ada", Reason: "a test"}, false); err != nil {
			t.Error(err)
		}
		first.thaw()
		w.until(3*time.Minute + 20*time.Second)
		if s := first.agent.Status(); s.State != lease.Follower || s.Reason.Code != lease.ReasonSuperseded || s.Instance.Leader != "2" {
			t.Errorf("thawed, the first one is %s (%s), %+v", s.State, s.Reason.Code, s.Instance)
		}
		if got, _, _ := shared.Read(t.Context()); len(got.MayHold) != 0 || got.Term != 2 {
			t.Errorf("thawed, the first one follows: the record says %+v", got)
		}

		// The one that acts is asked to stop: the other one has it at once.
		second.cancel()
		<-second.done
		if s := first.agent.Status(); s.State != lease.Active || s.Epoch != epoch {
			t.Errorf("the second one stopped: the first is %s for epoch %d", s.State, s.Epoch)
		} else if s.Paused != nil {
			t.Errorf("the pause was ended, and the first one is paused for %v s", *s.Paused)
		}
		if slices.ContainsFunc(b.history, func(s lease.StateName) bool { return s == lease.Active || s == lease.Candidate }) {
			t.Errorf("b was %v", b.history)
		}

		// It is the last one: it hands over.
		first.cancel()
		<-first.done
		w.until(5 * time.Minute)
		if s := b.agent.Status(); s.State != lease.Active || s.Epoch <= epoch {
			t.Errorf("the last one stopped: b is %s for epoch %d\n%s", s.State, s.Epoch, w.logs())
		}
	})
}
