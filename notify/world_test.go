package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/notify"
)

// A server is a receiver, as nasty as it is told to be. It is reached by pipes, so that it lives in a bubble of synctest, on its time.
type server struct {
	*httptest.Server
	pipes *pipes

	mu     sync.Mutex
	answer http.HandlerFunc // nil: it takes everything
	got    []request
	wrote  int // bytes that came to it, over all connections
	conns  []*counting
}

// A request is one that came.
type request struct {
	at     time.Duration // since the test began
	method string
	path   string
	header http.Header
	body   []byte
}

// newServer starts a server, with TLS for a scheme https.
func newServer(t *testing.T, scheme string) *server {
	s := &server{}
	s.pipes = &pipes{s: s, conns: make(chan net.Conn), ended: make(chan struct{})}
	began := time.Now()
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got = append(s.got, request{time.Since(began), r.Method, r.URL.Path, r.Header, body})
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	s.Listener.Close()
	s.Listener = s.pipes
	s.Config.ErrorLog = hclog.NewNullLogger().StandardLogger(nil)
	if scheme == "https" {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() { s.set(nil); s.CloseClientConnections(); s.Close() })
	return s
}

// pipes is a listener whose connections are pipes.
type pipes struct {
	s     *server
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		of := &counting{Conn: c, s: p.s, deaf: make(chan struct{})}
		p.s.mu.Lock()
		defer p.s.mu.Unlock()
		p.s.conns = append(p.s.conns, of)
		return of, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.ended) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// dial connects to the server, whatever the address.
func (s *server) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case s.pipes.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.pipes.ended:
		return nil, errors.New("connection refused")
	}
}

// counting is a connection whose bytes are counted.
type counting struct {
	net.Conn
	s    *server
	once sync.Once
	deaf chan struct{} // closed: what comes is lost
}

// deafen has the connections that there are lose all that comes.
func (s *server) deafen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.once.Do(func() { close(c.deaf) })
	}
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.deaf:
		if err == nil {
			return c.Read(b)
		}
	default:
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.wrote += n
	return n, err
}

// set makes the server answer in another way.
func (s *server) set(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.got...)
}

// messages are what it was sent, repeats too.
func (s *server) messages(t *testing.T) (all []notify.Message) {
	t.Helper()
	for _, r := range s.requests() {
		var m notify.Message
		if err := json.Unmarshal(r.body, &m); err != nil {
			t.Fatalf("%v in %s", err, r.body)
		}
		all = append(all, m)
	}
	return all
}

var key = bytes.Repeat([]byte{7}, 32)

// webhook is a receiver that leads to the server.
func (s *server) webhook(t *testing.T, name string) notify.Receiver {
	t.Helper()
	w, err := notify.NewWebhook(name, notify.Endpoint{URL: "http://example.com/hook", Dial: s.dial}, key)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// alertmanager is another one.
func (s *server) alertmanager(t *testing.T, host string) notify.Receiver {
	t.Helper()
	a, err := notify.NewAlertmanager(notify.Endpoint{URL: "http://" + host + ":9093/prefix/", Dial: s.dial})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A world is a Notifier that runs.
type world struct {
	t *testing.T
	*notify.Notifier
	log    *lockedBuffer
	counts *prometheus.Registry
	stop   func() // ends it, and waits for that
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func params() lease.Params {
	return lease.Params{Group: "g", Region: "fsn", Members: []lease.Region{"fsn", "hel"}, RequestTimeout: 5 * time.Second}
}

// begin starts a Notifier.
func begin(t *testing.T, events notify.Events, receivers ...notify.Receiver) *world {
	w := &world{t: t, log: &lockedBuffer{}, counts: prometheus.NewRegistry()}
	w.Notifier = notify.New(notify.Config{
		Params: params(), Receivers: receivers, Events: events,
		Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: w.log}),
	})
	w.counts.MustRegister(w.Notifier)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.Run(ctx) }()
	w.stop = func() { cancel(); <-ended }
	t.Cleanup(w.stop)
	return w
}

// inBubble runs a test on synctest's time.
func inBubble(t *testing.T, test func(*testing.T)) { t.Helper(); synctest.Test(t, test) }

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// counted is how often an outcome was counted for a receiver.
func (w *world) counted(receiver, outcome string) int {
	w.t.Helper()
	families, err := w.counts.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		labels := m.GetLabel()
		if labels[0].GetValue() == outcome && labels[1].GetValue() == receiver {
			return int(m.GetCounter().GetValue())
		}
	}
	w.t.Fatalf("no series for receiver %q, outcome %q", receiver, outcome)
	return 0
}

// want compares all counts of a receiver with those that are given, such as "sent 2, failed 1".
func (w *world) want(receiver, counts string) {
	w.t.Helper()
	var got []string
	for _, o := range []string{"sent", "failed", "refused", "expired", "dropped"} {
		if n := w.counted(receiver, o); n > 0 {
			got = append(got, o+" "+itoa(n))
		}
	}
	if g := strings.Join(got, ", "); g != counts {
		w.t.Errorf("%s: counted %q, want %q\nlog:\n%s", receiver, g, counts, w.log)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// acts is a decision of an instance that acts.
var acts = lease.Decision{State: lease.Active}

// toActive is a transition.
var toActive = lease.Transition{From: lease.Candidate, To: lease.Active, Epoch: 4, Reason: lease.ReasonTaken}
