package page

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/lease"
)

// hostile ends whatever it may be in: a text, an attribute, a line or an event of a stream, a script.
const hostile = "\"'></p></main><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}\r\r\n\ndata: <b>\r\rdata: x\n\n\x00javascript:alert(1)"

// fill makes every text in a value hostile, and has every list and pointer hold something.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i))
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	}
}

// elements are what the page is made of.
var elements = strings.Fields(`html head meta title link script body a header p strong span time main section h1 h2 h3 dl dt dd svg rect ul ol li
	table thead details summary tbody tr th td div code footer`)

// harmless has a page hold no more than it is made of: no script but its own, nothing that runs or looks otherwise.
func harmless(t *testing.T, what, page string) (text string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	var all strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			all.WriteString(n.Data + " ")
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(elements, n.Data) {
			t.Errorf("%s has an element %s", what, n.Data)
		}
		for _, a := range n.Attr {
			own := a.Key == "src" && a.Val == "page.js" || a.Key == "href" && slices.Contains([]string{"icon.svg", "page.css", "#facts", "status", "metrics"}, a.Val) || a.Key == "href" && runbook(a.Val)
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || (a.Key == "src" || a.Key == "href") && !own {
				t.Errorf("%s has %s with %s=%q", what, n.Data, a.Key, a.Val)
			}
		}
		if n.Data == "script" && n.FirstChild != nil {
			t.Errorf("%s has a script: %s", what, n.FirstChild.Data)
		}
	}
	return all.String()
}

// runbook reports whether an address is of a runbook that is there.
func runbook(address string) bool {
	name, ok := strings.CutPrefix(address, "https://github.com/openova-io/failoverd/blob/main/docs/runbooks/")
	_, err := os.Stat(filepath.Join("../../docs/runbooks", filepath.Base(name)))
	return ok && err == nil
}

// TestHostile has texts from elsewhere, which may be anything, be shown as texts, in every state.
func TestHostile(t *testing.T) {
	for _, state := range append([]lease.StateName{"", hostile}, lease.StateNames...) {
		for _, authority := range []bool{false, true} {
			var s agent.Status
			fill(reflect.ValueOf(&s).Elem())
			s.State, s.Authority, s.AuthorityRemaining = state, authority, 12
			var entry statedir.Episode
			fill(reflect.ValueOf(&entry).Elem())
			entry.Time = time.Now()
			w := newWorld(t, s, quick)
			w.page.history = newHistory(func(int) ([]statedir.Episode, error) { return []statedir.Episode{entry}, errors.New(hostile) })
			what := fmt.Sprintf("%.10q, authority %v", state, authority)
			_, page := w.get("/")
			text := harmless(t, what, page)
			if !strings.Contains(text, "<script>alert(1)</script>") {
				t.Errorf("%s: what was written is not shown:\n%s", what, text)
			}
			events := string(w.page.event(t.Context()))
			if strings.Contains(events, "\r") || strings.Count(events, "\n\n") != 1 || !strings.HasSuffix(events, "\n\n") {
				t.Errorf("%s: it is no single event: %q", what, events)
			}
			for line := range strings.Lines(strings.TrimSuffix(events, "\n")) {
				if !strings.HasPrefix(line, "data: ") {
					t.Fatalf("%s: a line of the event does not begin with its field: %q", what, line)
				}
			}
			harmless(t, what+", event", strings.ReplaceAll(events, "data: ", ""))
		}
	}
}

// TestHeaders has everything be under a policy that lets no text run.
func TestHeaders(t *testing.T) {
	w := newWorld(t, calmStatus(), quick)
	for path, kind := range map[string]string{
		"/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript", "/icon.svg": "image/svg+xml",
	} {
		resp, body := w.get(path)
		if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != kind+"; charset=utf-8" || body == "" {
			t.Errorf("GET %s: %s, %q, %d bytes", path, resp.Status, got, len(body))
		}
		policy := resp.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; ") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "data:") || strings.Contains(policy, "*") {
			t.Errorf("GET %s: policy %q", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("GET %s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	if resp, _ := w.get("/nowhere"); resp.StatusCode != 404 {
		t.Errorf("GET /nowhere: %s", resp.Status)
	}
	s := w.open()
	if got := s.head.Get("Content-Type"); got != "text/event-stream" || s.head.Get("Content-Security-Policy") == "" {
		t.Errorf("GET /events: %q, %v", got, s.head)
	}
}

// TestFacts has the page say, without any script, what there is to know.
func TestFacts(t *testing.T) {
	degraded := calmStatus()
	degraded.Health = &agent.HealthStatus{Degraded: true, Since: of(60), Signals: []agent.SignalStatus{{Name: "gateway", Kind: "http", Verdict: health.Ill, Since: 90, Detail: "503"}},
		Gates: []agent.GateStatus{{ReasonStatus: reason(lease.GateFit), Region: "hel"}}}
	degraded.Layers[1].State, degraded.Layers[1].Trouble = "unknown", "activate: no primary"
	degraded.AuthorityRemaining = 11
	waiting := standbyStatus()
	waiting.Witness.Up = true
	asks := standbyStatus()
	asks.Mode, asks.Approval, asks.Holder = lease.ModeSemiAutomatic, &agent.ApprovalStatus{Kind: lease.RequestTake, Since: 70, Until: 230}, "hel"
	asks.Alarms = []agent.AlarmStatus{{ReasonStatus: reason(lease.NoticeApprovalWaiting)}}
	asks.Gates[1].Open, asks.Peers[0].Mode, asks.Peers[1].Known, asks.Peers[1].Paused = true, lease.ModeManual, true, true
	alone := calmStatus()
	alone.Peers[0].Quorum, alone.Peers[1].Quorum, alone.Peers[1].Mode = nil, nil, lease.ModeManual
	several := calmStatus()
	several.Alarms = []agent.AlarmStatus{
		{ReasonStatus: reason(lease.NoticeWitnessStale), Region: "hel", Witness: "kv"}, {ReasonStatus: reason(lease.NoticeWitnessStale), Region: "hel", Witness: "s3"},
		{ReasonStatus: reason(lease.NoticeWitnessDown), Witness: "etcd"},
	}
	pauses := calmStatus()
	pauses.Mode, pauses.Paused = lease.ModeAutomatic, of(3600)
	drilled, failed := calmStatus(), calmStatus()
	drilled.Drill = &audit.Drill{
		Group: "g", Region: "fsn", To: "hel", User: "ann", Reason: "the drill of November", Ended: time.Date(2026, 11, 25, 2, 10, 0, 0, time.UTC), Done: true,
		Steps:  []audit.DrillStep{{What: "fsn is fenced", Seconds: 0.213, Bound: 10, OK: true}, {What: "hel is active", Seconds: 1.4, Bound: 12, OK: true}},
		Advice: "a shorter fence_timeout would do",
	}
	bad := *drilled.Drill
	bad.Done, bad.Trouble, bad.Steps = false, "hel is active after 12.4s, its bound is 12.0s", []audit.DrillStep{{What: "hel is active", Seconds: 12.4, Bound: 12}}
	failed.Drill = &bad
	follower := agent.Status{
		Time: time.Now(), Group: "g", Region: "fsn", State: lease.Follower, Reason: reason(lease.ReasonStarting),
		Instance: &agent.InstanceStatus{Name: "two_b", Leader: "one_a", ProvesFor: 14},
	}
	for name, tt := range map[string]struct {
		status agent.Status
		want   []string
	}{
		"active": {calmStatus(), []string{
			"fsn is active", "Nothing is wrong", "epoch 7", "27 s left unless it is renewed", "fencing starts in 17 s", "hel can take over; nbg can take over",
			"httproute active", "cnpg active", "Witness answers", "1.2 s stale at least, 1 min 0 s allowed", "If fsn fails", "3 s ago", "it answers; would pledge", "9.9.9.9:53 silent",
			"takeover (hel) by ann: hel burns", "gap: no region was active for at most 160.00 s: the newest word that hel was came 89.50 s before, and was up to 70.50 s old",
			"activate cnpg: after 4.25 s", "data: shop/db was at 0/5000; hel was at 0/5400 95 s before: 1024 bytes are lost, and what it wrote later",
			"out of service for at most 164.25 s, until the last layer was active",
			"taken over by pledges", "2026-11-26 02:32:07 UTC", "standby → active , epoch 7",
		}},
		"standby": {standbyStatus(), []string{
			"No region is known to be active", "act now", "nobody is active", "witness unreachable", "dial tcp: no route to host", "check the way to the witness from this region",
			"not every member seen · nbg", "start the agent of that region", "Taking over", "1 closed, 1 open", "not fsn: closed is the gate “every member seen”", "no lease can be hidden", "its evidence is 41 s old", "opens in 49 s at the earliest",
			"Open: own layers fenced", "Runbook", "Witness does not answer", "Last known holder: hel", "its info record has never been seen",
		}},
		"waiting": {waiting, []string{"by the witness, this region takes over in 49 s at the earliest", "act now"}},
		"asks": {asks, []string{
			"semi-automatic; asks to take over, for 1 min 10 s now: failoverd approve or failoverd deny; asks anew in 3 min 50 s", "approval waiting",
			"Do: failoverd approve, or failoverd deny;", "fsn, when an operator approves; hel, when an operator orders it to; not nbg: it is paused",
		}},
		"no quorum": {alone, []string{"hel can take over, if its agent runs, which can't be seen without the quorum; nbg can take over, when an operator orders it to and if its agent runs"}},
		"several witnesses": {several, []string{
			"witness staler than its bound hel at witness kv, hel at witness s3", "witness unreachable witness etcd",
		}},
		"pauses": {pauses, []string{"automatic; paused for 1 h 0 min more, and decides nothing by itself", "Nothing is wrong"}},
		"degraded": {degraded, []string{
			"fsn is active", "act now", "authority runs out", "the region is degraded", "gateway 503", "Handing over", "another region fit closed hel", "see the health of that region",
			"activate: no primary", "cnpg unknown",
		}},
		"follower": {follower, []string{
			"fsn is active", "Nothing is wrong with this instance", "two_b follows, for 0 s; one_a acts", "knows no more", "this instance can prove that the region holds it, for 14 s more",
		}},
		"drilled": {drilled, []string{
			"Last drill", "As planned: fsn handed over to hel and took it back", "Ended 2026-11-25 02:10:00 UTC", "by ann: the drill of November",
			"fsn is fenced 0.21 s 10.00 s ● kept", "hel is active 1.40 s 12.00 s ● kept", "a shorter fence_timeout would do", "Nothing is wrong",
		}},
		"a drill that failed": {failed, []string{"Not as planned: hel is active after 12.4s, its bound is 12.0s", "hel is active 12.40 s 12.00 s ✕ not kept"}},
		"starting":            {agent.Status{Region: "fsn", Group: "g"}, []string{"The agent of fsn is starting"}},
	} {
		_, page := newWorld(t, tt.status, quick).get("/")
		text := strings.Join(strings.Fields(strings.ReplaceAll(harmless(t, name, page), "·", "")), " ")
		for _, want := range tt.want {
			want = strings.Join(strings.Fields(strings.ReplaceAll(want, "·", "")), " ")
			// Elements end words here.
			if !strings.Contains(strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(want, " ", "")) {
				t.Errorf("%s: the page lacks %q:\n%s", name, want, text)
			}
		}
	}
}

// TestNews has what is said aloud stay the same while nothing but time passes.
func TestNews(t *testing.T) {
	for _, s := range []agent.Status{calmStatus(), standbyStatus()} {
		later := s
		later.Since, later.AuthorityRemaining = s.Since+1, max(0, s.AuthorityRemaining-1)
		a, b := newView(s, &params, nil, "").news(), newView(later, &params, nil, "").news()
		if a != b || a == "" {
			t.Errorf("a second later %q is said, after %q", b, a)
		}
	}
}

// TestHistoryHangs has the page be there while the disk hangs, and the history when it does not any more.
func TestHistoryHangs(t *testing.T) {
	w := newWorld(t, calmStatus(), quick)
	hangs := make(chan struct{})
	reads := 0
	w.page.history = newHistory(func(int) ([]statedir.Episode, error) { reads++; <-hangs; return someHistory, nil })
	for range 3 {
		if _, page := w.get("/"); !strings.Contains(page, "fsn is active") || !strings.Contains(page, "the disk has not answered") {
			t.Errorf("while the disk hangs the page is:\n%s", page)
		}
	}
	close(hangs)
	w.await("the history is there", func() bool {
		_, page := w.get("/")
		return strings.Contains(page, "2026-11-26 02:32:07") && !strings.Contains(page, "has not answered")
	})
	if reads != 1 {
		t.Errorf("it was read %d times, want once", reads)
	}
}

// TestSpan is what page.js does too.
func TestSpan(t *testing.T) {
	for s, want := range map[float64]string{-3: "0 s", 0.9: "0 s", 59.9: "59 s", 60: "1 min 0 s", 3599: "59 min 59 s", 3600: "1 h 0 min", 86399: "23 h 59 min", 90000: "1 d 1 h"} {
		if got := span(s); got != want {
			t.Errorf("span(%v) = %q, want %q", s, got, want)
		}
	}
}

// BenchmarkEvent is what a change costs, however many pages are open: the status apart.
func BenchmarkEvent(b *testing.B) {
	for name, s := range map[string]agent.Status{"active": calmStatus(), "standby": standbyStatus()} {
		b.Run(name, func(b *testing.B) {
			p := New(Config{Agent: &testAgent{status: s}, Params: params, History: func(int) ([]statedir.Episode, error) { return someHistory, nil }})
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				size = len(p.event(b.Context()))
			}
			b.ReportMetric(float64(size), "event-bytes")
		})
	}
}
