package notify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/notify"
)

// TestTold: each transition arrives once, at the webhook and at whom the Alertmanagers tell, of a region that takes, dies and comes
// back; so does a broken assumption, and when it ends its alert is resolved. A receiver that hangs all the time costs no renewal.
func TestTold(t *testing.T) {
	w := newWorld(t, "")
	fsn, hel := w.regions[0], w.regions[1]
	var renewals daemon.Renewals
	fsn.Link.Watch(renewals.Watch)
	fsn.Start(t)
	hel.Start(t)
	w.active(fsn)
	w.toldOf(fsn, lease.Active)
	w.toldOf(hel, lease.Standby)

	// A broken assumption, and its end.
	stale := map[string]string{"reason": string(lease.NoticeWitnessStale)}
	fsn.Link.Stale(time.Hour)
	daemon.Await(w.t, "the pager is told that the witness is stale", func() bool { return len(w.pager.pages(fsn.Name, "firing", stale)) > 0 })
	fsn.Link.Stale(0)
	daemon.Await(w.t, "... and no more", func() bool { return len(w.pager.pages(fsn.Name, "resolved", stale)) > 0 })
	for _, status := range []string{"firing", "resolved"} {
		pages := w.pager.pages(fsn.Name, status, stale)
		if len(pages) != 1 {
			t.Errorf("the pager was told %d times that it is %s, want once: %v", len(pages), status, pages)
		}
		p := pages[0]
		want := map[string]string{
			"alertname": "FailoverdWitnessStale", "failover_group": daemon.GroupName, "failover_region": "fsn", "about": "fsn",
			"reason": "witness_stale", "severity": "critical",
		}
		if fmt.Sprint(p.Labels) != fmt.Sprint(want) || !strings.HasSuffix(p.Annotations["runbook_url"], "/FailoverdWitnessStale.md") || p.Annotations["remedy"] == "" {
			t.Errorf("got labels %v and annotations %v; want labels %v, a remedy, and the runbook", p.Labels, p.Annotations, want)
		}
	}
	daemon.Await(w.t, "the webhook is told both", func() bool { return len(alarms(w.hook.of(fsn.Name))) >= 2 })
	if got := alarms(w.hook.of(fsn.Name)); !slices.Equal(got, []string{"alarm witness_stale, 1 hold", "alarm_ended witness_stale, 0 hold"}) {
		t.Errorf("the webhook was told %q", got)
	}

	// The receiver that hangs has been tried for long, and cost nothing.
	tried := w.counted(fsn, "webhook/hanging", "failed")
	daemon.Await(w.t, "a whole attempt at the receiver that hangs has failed since", func() bool { return w.counted(fsn, "webhook/hanging", "failed") > tried+1 })
	if n := w.counted(fsn, "webhook/hanging", "sent"); n != 0 {
		t.Errorf("%d messages were sent to it", n)
	}
	all := renewals.All()
	longest := time.Duration(0)
	for i, r := range all {
		if r.Epoch != all[0].Epoch {
			t.Errorf("renewal %d is for epoch %d, the first one for %d", i, r.Epoch, all[0].Epoch)
		}
		if i > 0 {
			longest = max(longest, r.Arrived.Sub(all[i-1].Arrived))
		}
	}
	if longest >= 8*time.Second { // the TTL less fence_timeout: it would have fenced
		t.Errorf("renewals came up to %v apart", longest)
	}
	t.Logf("%d renewals for epoch %d beside a receiver that hangs, %v apart at most", len(all), all[0].Epoch, longest.Round(time.Millisecond))

	told := len(w.hook.of(fsn.Name)) + len(w.hook.of(hel.Name))
	w.checked(fsn)
	if n := len(w.hook.of(fsn.Name)) + len(w.hook.of(hel.Name)); n != told {
		t.Errorf("check --live told the webhook something: %d messages, %d before", n, told)
	}

	// It dies, another one takes, and it comes back.
	if err := fsn.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	w.active(hel)
	w.toldOf(hel, lease.Active)
	fsn.Start(t)
	w.toldOf(fsn, lease.Standby)

	// It stops, and what it has to tell at last arrives.
	if err := hel.Process().Terminate(); err != nil {
		t.Fatal(err)
	}
	if _, err := hel.Process().Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.toldOf(hel, lease.Standby)

	w.hook.mu.Lock()
	defer w.hook.mu.Unlock()
	w.pager.mu.Lock()
	defer w.pager.mu.Unlock()
	if got, want := len(w.pager.told), len(w.hook.told); got != want {
		t.Errorf("the pager was told %d times, the webhook %d: %v", got, want, w.pager.told)
	}
	if len(w.hook.refused) > 0 {
		t.Errorf("the webhook refused %q", w.hook.refused)
	}
	for id, n := range w.hook.seen {
		if n != 1 {
			t.Errorf("%s came %d times, from receivers that take everything", id, n)
		}
	}
	t.Logf("the webhook was told %d messages, each once; the pager %d alerts", len(w.hook.told), len(w.pager.told))
}

// TestApproval: that a region asks for an approval is told once, and when it has that, the alert is resolved.
func TestApproval(t *testing.T) {
	w := newWorld(t, "mode: semi-automatic\napproval_timeout: 30m\n")
	fsn := w.regions[0]
	for _, r := range w.regions {
		r.Start(t)
	}
	asked := map[string]string{"alertname": "FailoverdApprovalWaiting", "reason": string(lease.NoticeApprovalWaiting), "severity": "critical"}
	daemon.Await(w.t, "the pager is told that fsn asks", func() bool { return len(w.pager.pages(fsn.Name, "firing", asked)) > 0 })
	if code, out, err := fsn.CLI(t.Context(), "approve", "--yes", "--reason", "test"); code != 0 || err != nil {
		t.Fatalf("approve: exit code %d, %v:\n%s", code, err, out)
	}
	w.active(fsn)
	daemon.Await(w.t, "... and that it does no more", func() bool { return len(w.pager.pages(fsn.Name, "resolved", asked)) > 0 })
	w.toldOf(fsn, lease.Active)
	for _, status := range []string{"firing", "resolved"} {
		if pages := w.pager.pages(fsn.Name, status, asked); len(pages) != 1 || pages[0].Annotations["detail"] == "" {
			t.Errorf("the pager was told %d times that it is %s, want once, with what is asked for: %v", len(pages), status, pages)
		}
	}
	if got := alarms(w.hook.of(fsn.Name)); !slices.Equal(got, []string{"alarm approval_waiting, 1 hold", "alarm_ended approval_waiting, 0 hold"}) {
		t.Errorf("the webhook was told %q", got)
	}
}

// TestWallClock: what an agent tells whose wall clock is wrong by hours arrives all the same.
func TestWallClock(t *testing.T) {
	w := &world{t: t, pager: newPager(t)}
	w.alertmanagers()
	to, err := notify.NewAlertmanager(notify.Endpoint{URL: w.amURLs[0]})
	if err != nil {
		t.Fatal(err)
	}
	for region, wrong := range map[lease.Region]time.Duration{"fast": 3 * time.Hour, "slow": -3 * time.Hour} {
		began := time.Now().Add(wrong)
		m := notify.Message{ID: "1", Kind: notify.Alarm, Group: "g", Region: region, Reason: lease.NoticeCutOff, Severity: lease.Warning, Time: began}
		if err := to.Send(t.Context(), &m); err != nil {
			t.Errorf("a clock that is %s: %v", region, err)
		}
		daemon.Await(w.t, "the pager is told, by a clock that is "+string(region), func() bool { return len(w.pager.pages(region, "firing", nil)) == 1 })
		m.Kind, m.Began, m.Time = notify.AlarmEnded, &began, began.Add(time.Second)
		if err := to.Send(t.Context(), &m); err != nil {
			t.Errorf("a clock that is %s: %v", region, err)
		}
		if wrong < 0 {
			daemon.Await(w.t, "it is resolved", func() bool { return len(w.pager.pages(region, "resolved", nil)) == 1 })
		}
	}
}

// alarms are the messages of a webhook that are no transitions, and how many alarms hold then.
func alarms(of []message) (lines []string) {
	for _, m := range of {
		if m.Kind != "transition" {
			lines = append(lines, fmt.Sprintf("%s %s, %d hold", m.Kind, m.Reason, len(m.Alarms)))
		}
	}
	return lines
}

// toldOf waits until a region's history ends with a state, and all transitions in it have been told, each once, and to the webhook in order.
func (w *world) toldOf(r *daemon.Region, last lease.StateName) {
	w.t.Helper()
	line := func(to lease.StateName, epoch uint64, why lease.ReasonCode) string {
		return fmt.Sprintf("%s %d %s", to, epoch, why)
	}
	byHook := func() (lines []string) {
		for _, m := range w.hook.of(r.Name) {
			if m.Kind == "transition" {
				lines = append(lines, line(m.To, m.Epoch, m.Reason))
			}
		}
		return lines
	}
	byPager := func() (lines []string) {
		for _, p := range w.pager.pages(r.Name, "firing", map[string]string{"alertname": "FailoverdTransition"}) {
			var epoch uint64
			fmt.Sscan(p.Labels["epoch"], &epoch)
			lines = append(lines, line(lease.StateName(p.Labels["to"]), epoch, lease.ReasonCode(p.Labels["reason"])))
		}
		return lines
	}
	var want []string // its last line comes to the disk after the status says so
	daemon.Await(w.t, fmt.Sprintf("the history of %s ends with %s, the webhook and the pager are told of each of its transitions once, and the webhook in order", r.Name, last), func() bool {
		history, err := r.History()
		if err != nil {
			w.t.Fatal(err)
		}
		want = nil
		for _, h := range history {
			want = append(want, line(h.To, h.Epoch, h.Reason))
		}
		return len(history) > 0 && history[len(history)-1].To == last &&
			slices.Equal(byHook(), want) && slices.Equal(slices.Sorted(slices.Values(byPager())), slices.Sorted(slices.Values(want)))
	}, func() string {
		return fmt.Sprintf("its history:\n%s\nthe webhook was told:\n%s\nthe pager, in any order:\n%s", strings.Join(want, "\n"), strings.Join(byHook(), "\n"), strings.Join(byPager(), "\n"))
	})
}

// checked has check --live say that each receiver is reached, and of one that is gone that it is not, without telling any.
func (w *world) checked(r *daemon.Region) {
	w.t.Helper()
	findings := func() string {
		_, out, err := r.CLI(w.t.Context(), "check", "--live")
		if err != nil {
			w.t.Fatal(err)
		}
		return out
	}
	for _, receiver := range []string{"webhook/oncall", "webhook/hanging", "alertmanager/" + strings.TrimPrefix(w.amURLs[0], "http://")} {
		if out := findings(); !strings.Contains(out, "ok       notifications, "+receiver+": it is reached") {
			w.t.Errorf("check --live does not say that %s is reached:\n%s", receiver, out)
		}
	}
	gone := "alertmanager/" + strings.TrimPrefix(w.amURLs[1], "http://")
	if err := w.ams[1].Kill(); err != nil {
		w.t.Fatal(err)
	}
	if out := findings(); !strings.Contains(out, "warning  notifications, "+gone+": ") || !strings.Contains(out, "connection refused") {
		w.t.Errorf("check --live does not say that %s is gone:\n%s", gone, out)
	}
}
