package page

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/gap"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// limit ends a test that hangs.
const limit = 30 * time.Second

// room is how much a connection holds, at each end, that is not read: more than a packet of loopback, since less would be sent with
// pauses, and far less than what is too much to read.
const room = 128 << 10

var tooMuch = strings.Repeat("much to read ", 64<<10)

// testAgent says what the test has it say.
type testAgent struct {
	mu      sync.Mutex
	status  agent.Status
	changed chan struct{}
	asked   atomic.Int64 // how often
}

func (a *testAgent) Status() agent.Status {
	a.asked.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Time = time.Now()
	return s
}

func (a *testAgent) Changed() <-chan struct{} { return a.changed }

// change changes the status, as the owner does: it waits for nobody.
func (a *testAgent) change(how func(*agent.Status)) {
	a.mu.Lock()
	how(&a.status)
	a.mu.Unlock()
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

var params = lease.Params{
	Group: "g", Region: "fsn", Members: []lease.Region{"fsn", "hel", "nbg"}, Quorum: true,
	TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
	RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002,
}

// reason is an entry of the table.
func reason(code lease.ReasonCode) agent.ReasonStatus {
	r := lease.ReasonOf(code)
	return agent.ReasonStatus{Code: r.Code, Severity: r.Severity, Title: r.Title, Text: r.Text, Remedy: r.Remedy}
}

func of(v float64) *float64 { return &v }

// calmStatus is of an active region that nothing ails.
func calmStatus() agent.Status {
	peer := func(name lease.Region) agent.PeerStatus {
		return agent.PeerStatus{
			Region: name, State: "unknown", Known: true, EvidenceAge: 12,
			Quorum: &agent.PeerQuorum{
				Reached: true, AnswerAge: of(3), State: lease.Standby, Willing: true,
				Resolvers: []agent.ResolverStatus{{Resolver: "8.8.8.8:53", Outcome: "agreed"}, {Resolver: "1.1.1.1:53", Outcome: "agreed"}, {Resolver: "9.9.9.9:53", Outcome: "silent"}},
			},
		}
	}
	return agent.Status{
		Time: time.Now(), Group: "g", Region: "fsn", Members: params.Members, Version: "v1",
		State: lease.Active, Since: 200, Reason: reason(lease.ReasonTaken), Epoch: 7, Authority: true, AuthorityRemaining: 27.5, FencingStartsIn: 17.5, Holder: "fsn",
		Gates: []agent.GateStatus{
			{ReasonStatus: reason(lease.GateLayersFenced), Open: false},
			{ReasonStatus: reason(lease.GateSuspect), Path: lease.PathWitness, Open: true},
		},
		Peers: []agent.PeerStatus{peer("hel"), peer("nbg")}, Layers: []agent.LayerStatus{{Name: "httproute", State: "active"}, {Name: "cnpg", State: "active"}},
		Witness: agent.WitnessStatus{Up: true, Staleness: 60, ObservedStaleness: 1.2},
	}
}

// standbyStatus is of a region that waits; nobody is active.
func standbyStatus() agent.Status {
	s := calmStatus()
	s.State, s.Reason, s.Epoch, s.Authority, s.AuthorityRemaining, s.FencingStartsIn, s.Holder = lease.Standby, reason(lease.ReasonFenced), 0, false, 0, 0, "hel"
	s.Gates = []agent.GateStatus{
		{ReasonStatus: reason(lease.GateLayersFenced), Open: true},
		{ReasonStatus: reason(lease.GatePeersKnown), Region: "nbg"},
		{ReasonStatus: reason(lease.GateStalenessWait), Path: lease.PathWitness, Region: "hel", EvidenceAge: of(41), OpensIn: of(49)},
		{ReasonStatus: reason(lease.GateEveryoneWilling), Path: lease.PathQuorum},
	}
	s.Peers[1].Known = false
	s.Alarms = []agent.AlarmStatus{{ReasonStatus: reason(lease.NoticeWitnessDown), Detail: "dial tcp: no route to host"}}
	s.Witness.Up, s.Witness.Trouble = false, map[string]string{"read_round": "dial tcp: no route to host"}
	return s
}

var someHistory = []statedir.Episode{
	{Entry: statedir.Entry{Time: time.Date(2026, 11, 26, 2, 30, 0, 0, time.UTC), Region: "fsn", To: lease.Fencing, Reason: lease.ReasonStarting}},
	{Entry: statedir.Entry{Time: time.Date(2026, 11, 26, 2, 31, 5, 0, time.UTC), Region: "fsn", From: lease.Fencing, To: lease.Standby, Reason: lease.ReasonFenced}},
	{Entry: statedir.Entry{Time: time.Date(2026, 11, 26, 2, 32, 7, 0, time.UTC), Region: "fsn", From: lease.Standby, To: lease.Active, Epoch: 7, Reason: lease.ReasonPledged,
		By: &audit.Command{Verb: "takeover", Region: "hel", User: "ann", Reason: "hel burns"}, Gap: &gap.Gap{Before: "hel", After: "fsn", Epoch: 7, Since: 89.5, AtMost: of(160)}},
		Layers: []statedir.LayerChange{{Layer: "cnpg", Action: layers.Activate, Seconds: 4.25, Objects: 1,
			Data: []layers.Position{{Object: "shop/db", At: "0/5000", Before: "hel", Last: "0/5400", Silence: 95, Lacks: 1024}}}}},
}

// A world is a page that is served, and its agent.
type world struct {
	t     *testing.T
	agent *testAgent
	page  *Page
	url   string
	end   func() // of Run
}

func newWorld(t *testing.T, s agent.Status, times timings) *world {
	t.Helper()
	a := &testAgent{status: s, changed: make(chan struct{}, 1)}
	w := &world{t: t, agent: a, page: New(Config{Agent: a, Params: params, History: func(int) ([]statedir.Episode, error) { return someHistory, nil }})}
	w.page.timings = times
	mux := http.NewServeMux()
	w.page.Register(mux)
	server := httptest.NewUnstartedServer(mux)
	server.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateNew { // so that little is under way to a reader that does not read
			c.(*net.TCPConn).SetWriteBuffer(room)
		}
	}
	server.Start()
	w.url = server.URL
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.page.Run(ctx) }()
	w.end = func() { cancel(); <-ended }
	t.Cleanup(func() { w.end(); server.Close() })
	return w
}

// get asks for what the server serves.
func (w *world) get(path string) (*http.Response, string) {
	w.t.Helper()
	mux := http.NewServeMux()
	w.page.Register(mux)
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil))
	return rec.Result(), rec.Body.String()
}

// await waits until something is so.
func (w *world) await(what string, is func() bool) {
	w.t.Helper()
	end := time.NewTimer(limit)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-end.C:
			w.t.Fatalf("waited %v in vain: %s", limit, what)
		}
	}
}

// A stream is one that is open, read event by event.
type stream struct {
	w    *world
	code int
	head http.Header
	body *bufio.Reader
	err  error // that has ended it
	end  func()
}

// open opens a stream, over a connection of its own that holds little which is not read.
func (w *world) open() *stream {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), limit)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/events", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			c.(*net.TCPConn).SetReadBuffer(room)
		}
		return c, err
	}}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &stream{w: w, code: resp.StatusCode, head: resp.Header, body: bufio.NewReader(resp.Body)}
	s.end = func() { cancel(); resp.Body.Close() }
	w.t.Cleanup(s.end)
	return s
}

// event is the data of the next event; ok is false at the end.
func (s *stream) event() (data string, ok bool) {
	var lines []string
	for {
		line, err := s.body.ReadString('\n')
		if err != nil {
			s.err = err
			return "", false
		}
		line = strings.TrimSuffix(line, "\n")
		if rest, is := strings.CutPrefix(line, "data: "); is {
			lines = append(lines, rest)
		} else if line == "" && len(lines) > 0 {
			return strings.Join(lines, "\n"), true
		}
	}
}
