package operate_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

const why = " --yes --reason test"

// TestUse: what is wrong with a command line is said before anything is asked or done.
func TestUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mode: manual\n")
	w.await("fsn", "stands by", standby)
	for _, tt := range []struct {
		verb string
		says string
	}{
		{"switchover --to hel", "--yes"},
		{"switchover --to hel --yes", "--reason"},
		{"switchover" + why, "--to"},
		{"approve --reason test", "--yes"},
		{"pause" + why, "--for"},
		{"pause --for 0s" + why, "more than 0s"},
		{"pause --for -1h" + why, "more than 0s"},
		{"pause --for 1000h" + why, "at most 720h"},
		{"deny --for 0s" + why, "more than 0s"},
		{"resume -o json", "--yes"},
	} {
		w.does("fsn", tt.verb, 2, tt.says)
	}
	w.types("fsn", "takeover", "\x04", "takes over, as soon as that is safe", "Why?")
	w.types("fsn", "takeover", "a test\nno\n", "Go on? [y/N]", "nothing was done")
	w.nobodyTakes(time.Second, "fsn", "hel", "nbg")
	w.types("fsn", "takeover", "a test\ny\n", "fsn is active for epoch 1")
}

// TestManual: nobody takes but by order.
func TestManual(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mode: manual\n")
	for _, r := range w.Regions {
		w.await(r.Name, "stands by", standby)
	}
	w.nobodyTakes(2*params().TTL, "fsn", "hel", "nbg")
	w.does("fsn", "approve"+why, 1, "semi_automatic")
	w.does("fsn", "deny"+why, 1, "semi_automatic")
	w.does("fsn", "switchover --to hel"+why, 1, "active_here")
	w.does("hel", "takeover"+why, 0, "hel takes over, as soon as that is safe", "hel is active for epoch 1", "left)")
	w.does("hel", "takeover"+why, 1, "standby_here")
	w.does("fsn", "explain --address "+w.region("fsn").Address(), 0, "mode manual", "[no ] ordered by an operator", "failoverd takeover here")
	w.does("fsn", "takeover"+why, 1, "no_known_holder")

	w.does("hel", "switchover --to mars"+why, 1, "another_member")
	w.await("hel", "is active", active)
	w.does("hel", "switchover --to nbg"+why+" -o json", 0, `"verb": "switchover"`, `"done": true`, `nbg is active for epoch`)
	w.await("nbg", "is active", active)

	// The holder dies, and stays away: by order another one takes when no lease can stand.
	w.kill("nbg")
	w.nobodyTakes(2*params().TTL, "fsn", "hel")
	w.does("hel", "takeover"+why, 0, "the last known holder is nbg", "hel is active for epoch")
	w.does("fsn", "audit verify", 0)
}

// TestSemiAutomatic: everything is prepared, and waits for a word; fencing waits for nobody.
func TestSemiAutomatic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mode: semi-automatic\napproval_timeout: 1m\n")
	w.await("fsn", "asks", asks(lease.RequestTake))
	w.nobodyTakes(2*params().TTL, "fsn", "hel", "nbg")
	w.does("fsn", "status --address "+w.region("fsn").Address(), 0, "mode semi-automatic", "fsn asks to take over", "failoverd approve", "approval waiting")
	w.does("fsn", "takeover --peer-is-fenced hel"+why, 1, "region_silent")
	w.does("fsn", "deny"+why, 0, "It will not, and decides nothing by itself for 1m", "failoverd resume ends that")
	w.does("fsn", "approve"+why, 1, "approval_requested")
	w.await("fsn", "asks for nothing", asks(""))
	w.await("hel", "asks", asks(lease.RequestTake))
	w.does("hel", "approve"+why, 0, "hel asks to take over", "hel is active for epoch")
	w.does("fsn", "resume"+why, 0, "fsn is paused for", "decides by itself again what its mode lets it: semi-automatic")

	// A planned switchover needs no second word.
	w.await("hel", "is active", active)
	w.await("nbg", "stands by", standby)
	w.does("hel", "switchover --to nbg"+why, 0, "hel hands its authority over to nbg", "nbg is active for epoch")

	// The holder dies. Two could take; one asks, and is told.
	w.await("nbg", "is active", active)
	w.kill("nbg")
	s := w.await("fsn", "asks", asks(lease.RequestTake))
	if s.State != lease.Candidate {
		t.Errorf("fsn is %s while it asks, want candidate: no time is to be lost after the word", s.State)
	}
	w.nobodyTakes(params().TTL, "fsn", "hel")
	w.does("fsn", "approve"+why, 0, "the last known holder is nbg", "fsn is active for epoch")
}

// TestPause: an automatic region that is paused decides nothing, over a restart too, and goes on with what it has.
func TestPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.makeActive("fsn")
	w.await("hel", "stands by", standby)
	w.await("nbg", "stands by", standby)
	w.does("hel", "takeover --peer-is-fenced fsn"+why, 1, "region_silent")
	for _, r := range []lease.Region{"fsn", "hel", "nbg"} {
		w.does(r, "pause --for 1h"+why, 0, "decides nothing by itself for 1h", "failoverd resume ends that")
	}
	w.await("hel", "is told of fsn's pause", func(s daemon.Status) bool { return s.Paused != nil })
	w.does("fsn", "switchover --to hel"+why, 1, "another_region_fit") // hel's people have said that it is to decide nothing
	w.does("hel", "resume"+why, 0, "automatic")
	w.await("fsn", "is active", active)
	w.does("fsn", "switchover --to hel"+why, 0, "hel is active for epoch")
	w.await("hel", "is active", active)

	w.kill("nbg")
	w.region("nbg").Start(t)
	w.await("nbg", "is paused after its restart", func(s daemon.Status) bool { return s.Paused != nil && standby(s) })
	w.kill("hel")
	w.nobodyTakes(2*params().TTL, "fsn", "nbg")
	w.does("nbg", "explain --address "+w.region("nbg").Address(), 0, "[no ] not paused", "failoverd resume ends the pause")
	w.does("nbg", "resume"+why, 0, "nbg is paused for")
	w.await("nbg", "is active", active)
}

// TestDegraded: a semi-automatic region that is degraded asks before it hands over, and one that is told no stays.
func TestDegraded(t *testing.T) {
	t.Parallel()
	var ill atomic.Value // the name of the region that is
	ill.Store("nobody")
	probed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/"+ill.Load().(string) {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer probed.Close()
	w := newWorld(t, "mode: semi-automatic\nhealth: {degraded_after: 1s, recovered_after: 1s, probes: [{name: gateway, http: \""+probed.URL+"/REGION\", interval: 500ms, timeout: 400ms}]}\n")
	w.await("fsn", "asks", asks(lease.RequestTake))
	w.does("fsn", "approve"+why, 0, "fsn is active for epoch")
	w.await("fsn", "is active", active)
	w.await("hel", "stands by", standby)

	ill.Store("fsn")
	w.await("fsn", "asks to hand over", asks(lease.RequestHandOver))
	w.does("fsn", "explain --address "+w.region("fsn").Address(), 0, "It is degraded, and hands over as soon as all of these hold", "[no ] approved by an operator")
	w.does("fsn", "deny --for 1m"+why, 0, "fsn asks to hand over, since it is degraded")
	w.await("fsn", "asks for nothing", asks(""))
	w.does("fsn", "resume"+why, 0)
	w.await("fsn", "asks to hand over again", asks(lease.RequestHandOver))
	w.does("fsn", "approve"+why, 0, "the first region that is fit", "is active for epoch")
	w.await("hel", "is active", active)
}

// TestDrill: authority goes there and back, by one command.
func TestDrill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "mode: manual\n")
	w.await("fsn", "stands by", standby)
	w.does("fsn", "drill --to hel --dry-run", 1, "[no ] fsn is active (it is standby)", "checks failed, and nothing was done")
	w.does("fsn", "takeover"+why, 0)
	w.await("fsn", "is active", active)
	w.await("fsn", "hears of all", func(s daemon.Status) bool { return len(s.Alarms) == 0 })

	report := t.TempDir() + "/drill.md"
	for _, tt := range []struct {
		args string
		code int
		says string
	}{
		{"", 2, "--to"},
		{" --to hel", 2, "--yes"},
		{" --to hel --stay -1s", 2, "--stay"},
		{" --to hel --window 2-4", 2, "02:00-04:00"},
		{" --to hel --report /", 2, "--report"},
		{" --to hel --stay 23h --window 02:00-04:00 --dry-run", 1, "[no ] all of it is within the window 02:00-04:00"},
		{" --to mars --dry-run", 1, "[no ] mars is another member"},
		{" --to hel --dry-run", 0, "fsn hands its authority over to hel, and takes it back"},
	} {
		w.does("fsn", "drill"+tt.args, tt.code, tt.says)
	}
	w.does("fsn", "drill --to hel --stay 2s --report "+report+why, 0, "hel is active", "fsn is active again", "its layers are active again")
	w.does("fsn", "status --address "+w.region("fsn").Address(), 0, "last drill: to hel, by root, ended ", "as planned, 5 steps within their bounds")
	w.does("fsn", "history", 0, "switchover (hel) by root: test", "fence file: after", "activate file: after", "takeover by root: test",
		"gap: nobody is known to have been active before", "then came the first word that hel was, for epoch", "the newest word that hel was came", "out of service for at most")
	w.does("fsn", "history --limit 3 -o json", 0, `"by": {`, `"layers": [`, `"gap": {`, `"at_most_seconds": `, `"service_gap_at_most_seconds": `)
	if text, err := os.ReadFile(report); err != nil || !strings.Contains(string(text), "| fsn is active again |") || strings.Contains(string(text), "not kept") {
		t.Errorf("the report says\n%s, %v", text, err)
	}
	w.does("fsn", "drill --to hel --report "+report+why, 2, "is there already")
	w.does("fsn", "drill --to nbg --stay 0s -o json"+why, 0, `"done": true`, `"what": "nbg is active"`)

	w.kill("nbg")
	w.await("fsn", "misses nbg", func(s daemon.Status) bool { return len(s.Alarms) > 0 })
	w.does("fsn", "drill --to hel"+why, 1, "[no ] nbg answers through the quorum", "checks failed")
}
