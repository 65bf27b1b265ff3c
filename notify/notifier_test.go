package notify_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/notify"
)

// An eventLog is the Events of a cluster.
type eventLog []string

func (e *eventLog) Transition(t lease.Transition) {
	*e = append(*e, fmt.Sprintf("%q to %s", t.From, t.To))
}
func (e *eventLog) Notice(n lease.Notice) {
	*e = append(*e, fmt.Sprintf("%s %q", n.Reason, n.About()))
}
func (e *eventLog) Ended(n lease.Notice) {
	*e = append(*e, fmt.Sprintf("%s %q ended", n.Reason, n.About()))
}

// told is what a webhook was told, a line for each message: kind, reason and what it is about, then the alarms that hold.
func told(t *testing.T, s *server) (lines []string) {
	t.Helper()
	for _, m := range s.messages(t) {
		of := func(reason lease.ReasonCode, about lease.Region, witness string) string {
			return strings.TrimSpace(fmt.Sprintf("%s %s", reason, lease.Notice{Region: about, Witness: witness}.About()))
		}
		var holds []string
		for _, h := range m.Alarms {
			holds = append(holds, of(h.Reason, h.About, h.Witness))
		}
		lines = append(lines, fmt.Sprintf("%s %s [%s]", m.Kind, of(m.Reason, m.About, m.Witness), strings.Join(holds, ", ")))
	}
	return lines
}

func compareLines(t *testing.T, got []string, want string) {
	t.Helper()
	want = strings.ReplaceAll(strings.TrimSpace(want), "\t", "")
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got:\n%s\nwant:\n%s", g, want)
	}
}

// TestTold is what is told of steps: each change once, and nothing of a step without one.
func TestTold(t *testing.T) {
	stale := lease.Notice{Reason: lease.NoticeWitnessStale, Region: "hel", Detail: "by 5s"}
	down := lease.Notice{Reason: lease.NoticeWitnessDown}
	inBubble(t, func(t *testing.T) {
		s, events := newServer(t, "http"), &eventLog{}
		w := begin(t, events, s.webhook(t, "hook"))
		step := func(d lease.Decision, alarms []lease.Notice, actions ...any) {
			for range 3 { // publish is called without a step, too
				for _, a := range actions {
					switch a := a.(type) {
					case lease.Transition:
						w.Transition(a)
					case lease.Notice:
						w.Notice(a)
					}
				}
				w.Show(d, alarms)
				actions = nil
			}
			after(time.Second)
		}
		step(lease.Decision{State: lease.Fencing}, nil, lease.Transition{To: lease.Fencing, Reason: lease.ReasonStarting})
		step(acts, nil, toActive)
		step(acts, []lease.Notice{stale}, stale)
		step(acts, []lease.Notice{stale, down}, down)
		step(acts, []lease.Notice{down, stale}, stale) // it ended, and began again
		step(acts, []lease.Notice{down, stale}, lease.Notice{Reason: lease.ReasonSplitBrain, Region: "hel"})
		step(acts, []lease.Notice{down}, stale) // it ended, began again, and ended
		step(acts, []lease.Notice{down}, stale) // it began and ended
		step(acts, nil)
		compareLines(t, told(t, s), `
			transition starting []
			transition taken []
			alarm witness_stale hel [witness_stale hel]
			alarm witness_unreachable [witness_stale hel, witness_unreachable]
			alarm_ended witness_stale hel [witness_unreachable, witness_stale hel]
			alarm witness_stale hel [witness_unreachable, witness_stale hel]
			notice split_brain hel [witness_unreachable, witness_stale hel]
			alarm_ended witness_stale hel [witness_unreachable]
			notice witness_stale hel [witness_unreachable]
			alarm_ended witness_unreachable []`)
		compareLines(t, *events, `
			"" to fencing
			"candidate" to active
			witness_stale "hel"
			witness_unreachable ""
			witness_stale "hel" ended
			witness_stale "hel"
			split_brain "hel"
			witness_stale "hel" ended
			witness_stale "hel"
			witness_unreachable "" ended`)
		m := s.messages(t)
		if ended := m[4]; ended.Began == nil || !ended.Began.Equal(m[2].Time) || ended.Time.Sub(*ended.Began) != 2*time.Second {
			t.Errorf("it ended at %v and began at %v, want 2 s before", ended.Time, ended.Began)
		}
		ids := map[string]bool{}
		for _, m := range m {
			ids[m.ID] = true
		}
		if len(ids) != len(m) {
			t.Errorf("%d messages have %d ids", len(m), len(ids))
		}
	})
}

// TestSeveralWitnesses: an alarm of one of several witnesses is another one than that of the next, though all else is the same.
func TestSeveralWitnesses(t *testing.T) {
	down := func(witness string) lease.Notice {
		return lease.Notice{Reason: lease.NoticeWitnessDown, Region: "fsn", Witness: witness, Detail: "writing the own flag"}
	}
	kv, s3 := down("kv"), down("s3")
	inBubble(t, func(t *testing.T) {
		s, am, events := newServer(t, "http"), newServer(t, "http"), &eventLog{}
		w := begin(t, events, s.webhook(t, "hook"), am.alertmanager(t, "am"))
		step := func(alarms []lease.Notice, begins ...lease.Notice) {
			for _, n := range begins {
				w.Notice(n)
			}
			w.Show(acts, alarms)
			after(time.Second)
		}
		step([]lease.Notice{s3}, s3)
		step([]lease.Notice{s3, kv}, kv)
		step([]lease.Notice{kv})
		step([]lease.Notice{kv}, s3) // it began and ended
		step(nil)
		compareLines(t, told(t, s), `
			alarm witness_unreachable fsn at witness s3 [witness_unreachable fsn at witness s3]
			alarm witness_unreachable fsn at witness kv [witness_unreachable fsn at witness s3, witness_unreachable fsn at witness kv]
			alarm_ended witness_unreachable fsn at witness s3 [witness_unreachable fsn at witness kv]
			notice witness_unreachable fsn at witness s3 [witness_unreachable fsn at witness kv]
			alarm_ended witness_unreachable fsn at witness kv []`)
		compareLines(t, *events, `
			witness_unreachable "fsn at witness s3"
			witness_unreachable "fsn at witness kv"
			witness_unreachable "fsn at witness s3" ended
			witness_unreachable "fsn at witness s3"
			witness_unreachable "fsn at witness kv" ended`)
		var labels []string
		for _, a := range alerts(t, am) {
			l := a[0].Labels
			labels = append(labels, fmt.Sprintf("%s %s %s, ended %v", l["reason"], l["about"], l["witness"], a[0].EndsAt != nil))
		}
		compareLines(t, labels, `
			witness_unreachable fsn s3, ended false
			witness_unreachable fsn kv, ended false
			witness_unreachable fsn s3, ended true
			witness_unreachable fsn s3, ended false
			witness_unreachable fsn kv, ended true`)
	})
}

// TestFollower: an instance that follows tells nothing, not that alarms which it forgets have ended either; when it acts it tells
// those that hold.
func TestFollower(t *testing.T) {
	term, down := lease.Notice{Reason: lease.NoticeTermUnreachable}, lease.Notice{Reason: lease.NoticeWitnessDown}
	follows := lease.Decision{State: lease.Follower}
	inBubble(t, func(t *testing.T) {
		s, am, events := newServer(t, "http"), newServer(t, "http"), &eventLog{}
		w := begin(t, events, s.webhook(t, "hook"), am.alertmanager(t, "am"))
		w.Transition(lease.Transition{To: lease.Follower, Reason: lease.ReasonStarting})
		w.Show(follows, nil)
		w.Notice(term)
		w.Show(follows, []lease.Notice{term})
		after(time.Second)
		compareLines(t, told(t, s), "")
		w.Transition(lease.Transition{From: lease.Follower, To: lease.Active, Epoch: 4, Reason: lease.ReasonInherited})
		w.Show(acts, []lease.Notice{term})
		w.Notice(down)
		w.Show(acts, []lease.Notice{term, down})
		after(time.Second)
		w.Transition(lease.Transition{From: lease.Active, To: lease.Follower, Reason: lease.ReasonSuperseded})
		w.Show(follows, nil)
		after(10 * time.Minute)
		compareLines(t, told(t, s), `
			transition inherited []
			alarm term_unreachable [term_unreachable]
			alarm witness_unreachable [term_unreachable, witness_unreachable]`)
		if n := len(am.requests()); n != 3 {
			t.Errorf("Alertmanager was told %d times, want 3: nothing is held up that another instance sees to", n)
		}
		compareLines(t, *events, `
			"" to follower
			"follower" to active
			term_unreachable ""
			witness_unreachable ""
			"active" to follower`)
	})
}

// TestBody holds the body of a webhook to what is documented.
func TestBody(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		w := begin(t, nil, s.webhook(t, "hook"))
		w.Transition(toActive)
		after(time.Second)
		n := lease.Notice{Reason: lease.NoticeWitnessStale, Region: "hel", Detail: "by 5s"}
		w.Notice(n)
		w.Show(acts, []lease.Notice{n})
		after(time.Second)
		w.Show(acts, nil)
		after(time.Second)
		run := strings.Split(s.messages(t)[0].ID, "/")[2]
		bodies := []string{
			`{"version":1,"id":"g/fsn/RUN/1","time":"2000-01-01T00:00:00Z","kind":"transition","group":"g","region":"fsn","reason":"taken","severity":"info","title":"taken over","text":"every gate was open: the region holds the lease","runbook":"https://github.com/openova-io/failoverd/blob/main/docs/reasons.md","from":"candidate","to":"active","epoch":4,"alarms":[]}`,
			`{"version":1,"id":"g/fsn/RUN/2","time":"2000-01-01T00:00:01Z","kind":"alarm","group":"g","region":"fsn","reason":"witness_stale","severity":"critical","title":"witness staler than its bound","text":"a record of this region, or of the one that is named, was read staler than witness.staleness allows: what safety rests on does not hold","remedy":"raise witness.staleness in all regions, or use a linearizable witness","runbook":"https://github.com/openova-io/failoverd/blob/main/docs/runbooks/FailoverdWitnessStale.md","about":"hel","detail":"by 5s","alarms":[{"reason":"witness_stale","about":"hel","began":"2000-01-01T00:00:01Z"}]}`,
			`{"version":1,"id":"g/fsn/RUN/3","time":"2000-01-01T00:00:02Z","kind":"alarm_ended","group":"g","region":"fsn","reason":"witness_stale","severity":"critical","title":"witness staler than its bound","text":"a record of this region, or of the one that is named, was read staler than witness.staleness allows: what safety rests on does not hold","remedy":"raise witness.staleness in all regions, or use a linearizable witness","runbook":"https://github.com/openova-io/failoverd/blob/main/docs/runbooks/FailoverdWitnessStale.md","about":"hel","detail":"by 5s","began":"2000-01-01T00:00:01Z","alarms":[]}`,
		}
		for i, r := range s.requests() {
			if got, want := string(r.body), strings.ReplaceAll(bodies[i], "RUN", run); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		}
	})
}

// An alert is what Alertmanager gets.
type alert struct {
	Labels, Annotations map[string]string
	StartsAt, EndsAt    *time.Time
}

func alerts(t *testing.T, s *server) (all [][]alert) {
	t.Helper()
	for _, r := range s.requests() {
		if r.method != "POST" || r.path != "/prefix/api/v2/alerts" {
			t.Errorf("it got %s %s", r.method, r.path)
		}
		var a []alert
		if err := json.Unmarshal(r.body, &a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// TestAlertmanager: every Alertmanager of a cluster gets every alert, though one of them hangs; an alarm that holds is told again
// each minute, until it has ended; what does not last is told once, and bears an id of its own.
func TestAlertmanager(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, hanging := newServer(t, "http"), newServer(t, "http")
		hanging.set(hang)
		w := begin(t, nil, s.alertmanager(t, "one"), hanging.alertmanager(t, "two"))
		w.Transition(toActive)
		w.Transition(toActive)
		stale := lease.Notice{Reason: lease.NoticeWitnessStale, Region: "hel", Detail: "by 5s"}
		w.Show(acts, []lease.Notice{stale})
		after(5*time.Minute + time.Second)
		w.Show(acts, nil)
		after(5 * time.Minute)
		got := alerts(t, s)
		var lines []string
		for i, a := range got {
			l := a[0].Labels
			line := fmt.Sprintf("%d alert at %v: %s %s", len(a), s.requests()[i].at, l["alertname"], l["reason"])
			if a[0].EndsAt != nil {
				line += fmt.Sprintf(", ended %v after it began", a[0].EndsAt.Sub(*a[0].StartsAt))
			}
			lines = append(lines, line)
		}
		compareLines(t, lines, `
			1 alert at 0s: FailoverdTransition taken
			1 alert at 0s: FailoverdTransition taken
			1 alert at 0s: FailoverdWitnessStale witness_stale
			1 alert at 1m0s: FailoverdWitnessStale witness_stale
			1 alert at 2m0s: FailoverdWitnessStale witness_stale
			1 alert at 3m0s: FailoverdWitnessStale witness_stale
			1 alert at 4m0s: FailoverdWitnessStale witness_stale
			1 alert at 5m0s: FailoverdWitnessStale witness_stale
			1 alert at 5m1s: FailoverdWitnessStale witness_stale, ended 5m1s after it began`)
		if a, b := got[0][0].Labels["notification"], got[1][0].Labels["notification"]; a == b || a == "" {
			t.Errorf("two transitions bear the ids %q and %q: they are one alert", a, b)
		}
		for i, a := range got {
			if (a[0].StartsAt != nil) != (i == 8) || a[0].Annotations["time"] == "" {
				t.Errorf("alert %d bears startsAt %v and time %q", i, a[0].StartsAt, a[0].Annotations["time"])
			}
		}
		for i := 3; i < 9; i++ {
			if a, b := fmt.Sprint(got[i][0].Labels), fmt.Sprint(got[2][0].Labels); a != b {
				t.Errorf("an alarm has the labels %s at first, then %s: they are two alerts", b, a)
			}
		}
		compareLines(t, []string{fmt.Sprint(got[0][0].Labels["to"], " ", got[0][0].Labels["epoch"]), fmt.Sprint(got[2][0].Labels)}, `
			active 4
			map[about:hel alertname:FailoverdWitnessStale failover_group:g failover_region:fsn reason:witness_stale severity:critical]`)
		w.want("alertmanager/one:9093/prefix", "sent 4")
		hanging.set(nil)
		after(2 * time.Minute)
		w.want("alertmanager/two:9093/prefix", fmt.Sprintf("sent 4, failed %d", w.counted("alertmanager/two:9093/prefix", "failed")))
	})
}

// TestReminder: an Alertmanager that comes back after so long that what it was to be told is given up is told of the alarms that
// hold.
func TestReminder(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		s.set(status(503))
		w := begin(t, nil, s.alertmanager(t, "one"))
		w.Show(acts, []lease.Notice{{Reason: lease.NoticeWitnessDown}, {Reason: lease.NoticeCutOff}})
		after(20 * time.Minute)
		s.set(nil)
		n := len(s.requests())
		after(time.Minute)
		got := alerts(t, s)
		if len(got) != n+1 || len(got[n]) != 2 {
			t.Errorf("it was told %d times, %v; want once, both", len(got)-n, got[n:])
		}
		if log := w.log.String(); !strings.Contains(log, "works again") || strings.Count(log, "given up") != 2 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// TestManyAgents draws pauses: agents that lost a receiver at once come back one after the other.
func TestManyAgents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newServer(t, "http")
		s.set(status(503))
		for range 20 {
			begin(t, nil, s.webhook(t, "hook")).Transition(toActive)
		}
		after(10 * time.Second)
		at := map[time.Duration]int{}
		for _, r := range s.requests() {
			at[r.at]++
		}
		delete(at, 0)
		for d, n := range at {
			if n > 3 {
				t.Errorf("%d agents came back after %v", n, d)
			}
		}
	})
}

// BenchmarkShow is what a step costs where nothing changes, with so many alarms that hold.
func BenchmarkShow(b *testing.B) {
	all := []lease.Notice{{Reason: lease.NoticeWitnessDown}, {Reason: lease.NoticeCutOff}, {Reason: lease.NoticePeerUnreachable, Region: "hel"}}
	for _, n := range []int{0, 3} {
		b.Run(fmt.Sprintf("alarms=%d", n), func(b *testing.B) {
			hook, err := notify.NewWebhook("hook", notify.Endpoint{URL: "http://127.0.0.1:9/"}, key)
			if err != nil {
				b.Fatal(err)
			}
			notifier := notify.New(notify.Config{Params: params(), Receivers: []notify.Receiver{hook}, Log: quiet})
			alarms := slices.Clone(all[:n])
			notifier.Show(acts, alarms)
			b.ReportAllocs()
			for b.Loop() {
				notifier.Show(acts, alarms)
			}
		})
	}
}

// BenchmarkTransition is what a transition costs the loop, with a receiver that takes nothing.
func BenchmarkTransition(b *testing.B) {
	hook, err := notify.NewWebhook("hook", notify.Endpoint{URL: "http://127.0.0.1:9/"}, key)
	if err != nil {
		b.Fatal(err)
	}
	notifier := notify.New(notify.Config{Params: params(), Receivers: []notify.Receiver{hook}, Log: quiet})
	b.ReportAllocs()
	for b.Loop() {
		notifier.Transition(toActive)
	}
}
