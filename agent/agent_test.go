package agent_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// TestLife is a life of two agents: the first one takes the lease of a new group, dies, and the other takes over;
// the dead one comes back as a standby.
func TestLife(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(31 * time.Second)
		// Authority is on disk before the layer is active (§5).
		w.want(`
			0.0 a layer inactive, epoch 0
			0.0 b layer inactive, epoch 0
			30.2 a saved 1 until 55.2
			30.2 a layer active, epoch 1
			30.3 a saved 1 until 60.2`)
		w.until(45 * time.Second)
		w.want(`40.3 a saved 1 until 70.2`)
		a.freeze() // dead, for the others
		w.until(75 * time.Second)
		w.want(`
			72.3 b saved 2 until 97.3
			72.3 b layer active, epoch 2
			72.4 b saved 2 until 102.3`)
		// What a does first when it wakes is to fence. It extends nothing and writes nothing.
		puts := w.store.puts
		a.thaw()
		w.want(`
			75.0 a layer inactive, epoch 1`)
		if w.store.puts != puts {
			t.Errorf("it wrote %d records as it woke", w.store.puts-puts)
		}
		if want := []lease.StateName{lease.Fencing, lease.Standby, lease.Candidate, lease.Active, lease.Fencing, lease.Standby}; !slices.Equal(a.history, want) {
			t.Errorf("the history of a is %v, want %v", a.history, want)
		}
	})
}

// TestHangingWitness: calls that hang, and take no notice of their deadline, hold nothing up. The layer is fenced in time.
func TestHangingWitness(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		w.store.hang()
		a.start()
		w.until(29 * time.Second)
		w.want(`
			0.0 a layer active, epoch 4
			20.0 a layer inactive, epoch 4`)
		status := a.agent.Status()
		if status.State != lease.Fencing || !status.Authority || status.Witness.Up {
			t.Errorf("got %s with authority %v, witness up %v; want fencing with authority and no witness", status.State, status.Authority, status.Witness.Up)
		}
		// All answers come at once, after the deadline: they extend nothing, though the last write was answered
		// within request_timeout.
		w.until(30100 * time.Millisecond)
		w.store.heal()
		w.until(32 * time.Second)
		w.want("")
		if status := a.agent.Status(); status.State != lease.Standby || !status.Witness.Up {
			t.Errorf("got %s, witness up %v; want a standby with a witness", status.State, status.Witness.Up)
		}
	})
}

// TestWitnessBack: a region that lost its lease since its writes failed says that the witness is back when it is, though a
// standby does not write its flag.
func TestWitnessBack(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		w.store.set(errors.New("no route"))
		a.start()
		w.until(31 * time.Second)
		if status := a.agent.Status(); status.State != lease.Standby || status.Witness.Up || len(status.Witness.Trouble) == 0 {
			t.Errorf("got %s, witness up %v, %v; want a standby without a witness", status.State, status.Witness.Up, status.Witness.Trouble)
		}
		w.store.set(nil)
		w.until(45 * time.Second)
		if status := a.agent.Status(); status.State != lease.Standby || !status.Witness.Up || len(status.Witness.Trouble) > 0 {
			t.Errorf("got %s, witness up %v, %v; want a standby with a witness", status.State, status.Witness.Up, status.Witness.Trouble)
		}
	})
}

// TestMalformedIsAnAnswer: a witness that brings a record that can't be believed, such as the flag that a region has left from
// before its key was changed, is not down.
func TestMalformedIsAnAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		w.store.mu.Lock()
		w.store.values["failoverd/g/flag/b"] = []byte("signed by another key")
		w.store.mu.Unlock()
		a.start()
		w.until(25 * time.Second)
		status := a.agent.Status()
		if status.State != lease.Active || !status.Witness.Up {
			t.Errorf("got %s, witness up %v; want an active region whose witness answers", status.State, status.Witness.Up)
		}
		if got := status.Witness.Trouble; len(got) != 1 || !strings.Contains(got["decode_flag"], "flag/b") {
			t.Errorf("got %v, want that the flag of b can't be decoded, and nothing else", got)
		}
		w.store.mu.Lock()
		delete(w.store.values, "failoverd/g/flag/b")
		w.store.mu.Unlock()
		w.until(45 * time.Second)
		if got := a.agent.Status().Witness.Trouble; len(got) > 0 {
			t.Errorf("got %v, want nothing once the record is gone", got)
		}
	})
}

func TestStart(t *testing.T) {
	const resumed, fenced = "0.0 a layer active, epoch 4", "0.0 a layer inactive, epoch"
	for _, tt := range []struct {
		name  string
		saved func(w *world) lease.Authority
		err   error
		want  string
	}{
		{"within the deadline", func(w *world) lease.Authority {
			return lease.Authority{Epoch: 4, Deadline: w.at(12 * time.Second), BootID: "boot"}
		}, nil, resumed},
		{"nothing saved", func(*world) lease.Authority { return lease.Authority{} }, nil, fenced},
		{"after the deadline", func(w *world) lease.Authority { return lease.Authority{Epoch: 4, Deadline: w.at(0), BootID: "boot"} }, nil, fenced},
		{"another boot", func(w *world) lease.Authority {
			return lease.Authority{Epoch: 4, Deadline: w.at(12 * time.Second), BootID: "boot of old"}
		}, nil, fenced},
		{"a deadline that no TTL gives", func(w *world) lease.Authority {
			return lease.Authority{Epoch: 4, Deadline: w.at(time.Hour), BootID: "boot"}
		}, nil, fenced},
		{"an unreadable file", func(*world) lease.Authority { return lease.Authority{} }, errors.New("checksum"), fenced},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				a := w.regions["a"]
				a.saved, a.loadErr, a.layer = tt.saved(w), tt.err, layers.Unknown
				a.start()
				if got := w.lines[0]; !strings.HasPrefix(got, tt.want) && !(strings.HasPrefix(got, "0.0 a saved") && strings.HasPrefix(w.lines[1], tt.want)) {
					t.Errorf("got %q, want %q first", w.lines, tt.want)
				}
			})
		})
	}
}

// TestSlowDisk: the layer waits for authority to be on disk, and for no longer than request_timeout.
func TestSlowDisk(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		w.regions["b"].start()
		w.regions["b"].freeze()
		a.diskTime = 3 * time.Second
		a.start()
		w.until(34 * time.Second)
		if got, want := strings.Join(w.lines[len(w.lines)-2:], "\n"), "33.2 a saved 1 until 55.2\n33.2 a layer active, epoch 1"; got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

// TestFullDisk: it costs the gapless restart and the history, and is told; the lease goes on.
func TestFullDisk(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		w.regions["b"].start()
		w.regions["b"].freeze()
		w.until(time.Second)
		w.lines = nil
		a.diskErr = errFull
		a.start()
		w.until(60 * time.Second)
		w.want(`
			1.0 a layer inactive, epoch 0
			31.2 a layer active, epoch 1`)
		status := a.agent.Status()
		if status.State != lease.Active || len(status.Alarms) != 1 || status.Alarms[0].Code != lease.NoticeSaveFailed {
			t.Errorf("got %s and alarms %v, want active and %s", status.State, status.Alarms, lease.NoticeSaveFailed)
		}
		if n := strings.Count(a.log.String(), "call=save_authority"); n != 1 {
			t.Errorf("the log tells %d times that the disk is full, want once:\n%s", n, a.log.String())
		}
		a.set(func() { a.diskErr = nil })
		w.until(75 * time.Second)
		if alarms := a.agent.Status().Alarms; len(alarms) != 0 {
			t.Errorf("there is room again, and alarms are %v", alarms)
		}
	})
}

// TestStubbornLayer: a layer that does not fence, and takes no notice of its deadline, is told of, as loudly as can be;
// the region does not become a standby before it is known to be inactive.
func TestStubbornLayer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		w.store.hang()
		a.start()
		w.until(10 * time.Second)
		stubborn := make(chan struct{})
		a.set(func() { a.stubborn = stubborn })
		w.until(60 * time.Second)
		status := a.agent.Status()
		if status.State != lease.Fencing || status.Authority || status.Layers[0].State == layers.Inactive {
			t.Errorf("got %s, authority %v, layer %s; want fencing without authority, and a layer that is not known to be inactive",
				status.State, status.Authority, status.Layers[0].State)
		}
		if log := a.log.String(); !strings.Contains(log, "[ERROR]") || !strings.Contains(log, string(lease.NoticeLayersLate)) {
			t.Errorf("the log has no error of the layer:\n%s", log)
		}
		a.set(func() { a.stubborn = nil })
		close(stubborn)
		w.store.heal()
		w.until(70 * time.Second)
		if got := a.agent.Status(); got.State != lease.Standby || got.Layers[0].State != layers.Inactive {
			t.Errorf("got %s with a layer that is %s, want standby and inactive", got.State, got.Layers[0].State)
		}
	})
}

// TestFenceTrouble: a layer that can't be fenced, since what it acts on does not answer, keeps no authority standing, and is
// named as long as that is so.
func TestFenceTrouble(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		w.store.hang()
		a.start()
		w.until(10 * time.Second)
		a.set(func() { a.hangs = true })
		w.until(45 * time.Second)
		w.want(`0.0 a layer active, epoch 4`)
		status := a.agent.Status()
		layer := status.Layers[0]
		if status.State != lease.Fencing || status.Authority || layer.State != layers.Unknown || !strings.HasPrefix(layer.Trouble, "fence: ") {
			t.Errorf("got %s with authority %v, layer %+v; want fencing without authority, and why the layer is not fenced", status.State, status.Authority, layer)
		}
		for call := range status.Witness.Trouble {
			if strings.Contains(call, "layer") {
				t.Errorf("got %q among the troubles of the witness", call)
			}
		}
		w.store.heal()
		a.set(func() { a.hangs = false })
		w.until(120 * time.Second)
		if status := a.agent.Status(); status.State == lease.Fencing || status.Layers[0].Trouble != "" {
			t.Errorf("got %s, layer %+v; want it fenced, and no trouble", status.State, status.Layers[0])
		}
	})
}

// TestLayerTrouble: what keeps a layer from an order is told of the layer, and not of the witness; it is no longer when the layer
// has done something else.
func TestLayerTrouble(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		a.refuses = "2 of 3 routes are left"
		a.start()
		w.until(5 * time.Second)
		status := a.agent.Status()
		if got := status.Layers[0].Trouble; got != "activate: 2 of 3 routes are left" || len(status.Witness.Trouble) > 0 {
			t.Errorf("active, and the layer is kept from it: it says %q, and of the witness %q", got, status.Witness.Trouble)
		}
		w.store.set(errors.New("down"))
		w.until(40 * time.Second)
		status = a.agent.Status()
		if got := status.Layers[0]; got.State != layers.Inactive || got.Trouble != "" {
			t.Errorf("fenced: the layer is %s, and it says %q, want inactive and nothing", got.State, got.Trouble)
		}
	})
}

// TestStop: an agent that is asked to stop gives its authority up from the disk, fences and is silent.
func TestStop(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		a.start()
		w.until(5 * time.Second)
		w.lines = nil
		puts := w.store.puts
		a.diskTime = time.Second // the layer does not wait for it
		a.cancel()
		<-a.done
		w.want(`
			5.0 a layer inactive, epoch 4
			6.0 a saved 4 until 5.0`)
		if a.err != nil || w.store.puts != puts {
			t.Errorf("got %v and %d writes, want nothing of either", a.err, w.store.puts-puts)
		}
	})
}

// TestPages looks at what users and Prometheus see, of the active region and of the standby.
func TestPages(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(35 * time.Second)
		for _, tt := range []struct {
			region *region
			path   string
			code   int
			has    []string
		}{
			{a, "/healthz", http.StatusOK, []string{"ok"}},
			{a, "/readyz", http.StatusOK, []string{"ok"}},
			{a, "/readyz?gate=g", http.StatusOK, []string{"a holds authority for epoch 1"}},
			{b, "/readyz?gate=g", http.StatusServiceUnavailable, []string{"b holds no authority"}},
			{a, "/readyz?gate=other", http.StatusNotFound, []string{`"other"`, `"g"`}},
			{a, "/readyz?gate=", http.StatusNotFound, nil},
			{a, "/nothing", http.StatusNotFound, nil},
			{a, "/metrics", http.StatusOK, []string{
				`failoverd_lease_state{state="active"} 1`, `failoverd_lease_state{state="standby"} 0`, "failoverd_lease_epoch 1\n",
				"failoverd_lease_authority_remaining_seconds 25.22", `failoverd_lease_renewals_total{outcome="acked"} 2`,
				`failoverd_witness_up{witness=""} 1`, `failoverd_peer_state{peer="b",state="unknown"} 1`, `failoverd_layer_state{layer="test",state="active"} 1`,
				`failoverd_gate_open{gate="peers_known"} 1`, `failoverd_transitions_total{reason="taken",to="active"} 1`,
				`failoverd_layer_apply_duration_seconds_count{action="activate",layer="test"} 1`,
				`failoverd_witness_request_duration_seconds_count{call="write_flag"} 2`,
				`failoverd_lease_holder{holder="a"} 1`, `failoverd_lease_holder{holder="b"} 0`, "failoverd_lease_ttl_seconds 30\n", "failoverd_clock_seconds 3635\n",
				`failoverd_transitions_total{reason="renewal_late",to="fencing"} 0`,
				"failoverd_failover_duration_seconds_count 1", "failoverd_split_brain_detected_total 0", `failoverd_build_info{version="v1"} 1`,
			}},
			{b, "/metrics", http.StatusOK, []string{
				`failoverd_lease_state{state="standby"} 1`, "failoverd_lease_epoch 0\n", "failoverd_lease_authority_remaining_seconds 0\n",
				`failoverd_peer_state{peer="a",state="active"} 1`, `failoverd_layer_state{layer="test",state="inactive"} 1`,
				`failoverd_lease_holder{holder="a"} 1`, `failoverd_peer_evidence_age_seconds{peer="a"}`,
			}},
		} {
			code, body := tt.region.get(tt.path)
			if code != tt.code {
				t.Errorf("%s of %s: got %d, want %d: %s", tt.path, tt.region.name, code, tt.code, body)
			}
			for _, want := range tt.has {
				if !strings.Contains(body, want) {
					t.Errorf("%s of %s has no %q:\n%s", tt.path, tt.region.name, want, body)
				}
			}
		}
		for _, line := range strings.Split(strings.TrimSpace(a.log.String()), "\n") {
			_, code, changed := strings.Cut(line, " reason=")
			code, _, _ = strings.Cut(code, " ")
			if changed && !strings.Contains(line, lease.ReasonOf(lease.ReasonCode(code)).Text) {
				t.Errorf("a line of the log does not say what the table of reasons does: %s", line)
			}
		}
		_, body := b.get("/status")
		var status agent.Status
		if err := json.Unmarshal([]byte(body), &status); err != nil {
			t.Fatal(err)
		}
		if status.State != lease.Standby || status.Holder != "a" || len(status.Peers) != 1 || !status.Peers[0].Known || len(status.Gates) == 0 {
			t.Errorf("b says %s", body)
		}
	})
}

// TestStuckLoop: an agent whose owner stands still says so, and its dead-man gate shuts with its deadline, whatever it said last.
func TestStuckLoop(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		a.start()
		w.until(time.Second)
		a.freeze() // its pages stand still too: they are asked as if they did not
		w.until(40 * time.Second)
		frozen := a.frozen
		a.set(func() { a.frozen = nil })
		if code, body := a.get("/readyz?gate=g"); code != http.StatusServiceUnavailable {
			t.Errorf("the gate says %d %s, 10 s after the deadline", code, body)
		}
		if code, body := a.get("/healthz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "stuck") {
			t.Errorf("/healthz says %d %s", code, body)
		}
		if status := a.agent.Status(); status.Authority {
			t.Error("/status claims authority, 10 s after the deadline")
		}
		close(frozen)
	})
}
