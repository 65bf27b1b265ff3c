package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/user"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// FuzzControl sends the control socket of an agent that runs any request, and reads in its journal what came of that. What was
// refused has changed nothing; an order that is only asked about neither; what was obeyed is what was sent, and all of it, once.
func FuzzControl(f *testing.F) {
	post := func(path, body string) { f.Add(http.MethodPost, path, []byte(body)) }
	for _, said := range []order{
		{Command: audit.Command{Verb: agent.SwitchOver, Region: "b", Loan: true, Reason: "r"}},
		{Command: audit.Command{Verb: agent.TakeOver, Reason: "r"}},
		{Command: audit.Command{Verb: agent.TakeOver, Region: "b", Reason: "r"}},
		{Command: audit.Command{Verb: agent.TakeOver, Region: "b", Reason: "r"}, Check: true},
		{Command: audit.Command{Verb: agent.Approve, Request: lease.RequestTake, Reason: "r"}},
		{Command: audit.Command{Verb: agent.Deny, Request: lease.RequestHandOver, For: time.Hour, Reason: "r"}},
		{Command: audit.Command{Verb: agent.Pause, For: time.Hour, User: "somebody else", Reason: "r"}},
		{Command: audit.Command{Verb: agent.Pause, For: time.Hour}, Check: true},
		{Command: audit.Command{Verb: agent.Resume, Reason: "r"}},
		{Command: audit.Command{Verb: agent.Recall, Reason: "r"}},
	} {
		body, err := json.Marshal(said)
		if err != nil {
			f.Fatal(err)
		}
		post(pathCommand, string(body))
	}
	report, err := json.Marshal(audit.Drill{Group: "g", Region: "a", To: "b", Reason: "r", Ended: time.Unix(0, 0), Steps: []audit.DrillStep{{What: "w", OK: true}}})
	if err != nil {
		f.Fatal(err)
	}
	post(pathDrill, string(report))
	post(pathDrill, "null")
	f.Add(http.MethodGet, "/readyz?gate=g", []byte(nil))
	f.Add(http.MethodGet, "/status", []byte(nil))

	defer func(before func(string) (*user.User, error)) { lookUpUser = before }(lookUpUser)
	lookUpUser = func(string) (*user.User, error) { return &user.User{Username: "ada"}, nil }
	a, book := runAgent(f)
	handler := controlHandler(a, hclog.NewNullLogger())
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, uint32(7)), method, "http://failoverd"+target, bytes.NewReader(body))
		if err != nil {
			return
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		got := book.read(t, a)
		switch to := method + " " + r.URL.Path; {
		case (w.Code == http.StatusOK || w.Code == http.StatusConflict) && to == "POST "+pathCommand:
			sent := flat(t, body)
			if sent["check"] == true {
				if len(got) > 0 {
					t.Errorf("%q only asks, and this came of it: %+v", body, got)
				}
				return
			}
			for _, not := range []string{"check", "at", "boot_id"} {
				delete(sent, not)
			}
			sent["user"] = "ada" // whatever it says
			if want := map[int]int{http.StatusOK: 2, http.StatusConflict: 1}[w.Code]; len(got) != want {
				t.Fatalf("%q: %d, and the journal has %+v: want the order, and what the lease was told by it if it is obeyed", body, w.Code, got)
			}
			kept, err := json.Marshal(got[0])
			if err != nil {
				t.Fatal(err)
			}
			if kept := flat(t, kept); !reflect.DeepEqual(without(kept), without(sent)) {
				t.Errorf("%q: %d, and the journal has %v: want %v", body, w.Code, kept, sent)
			}
			if said := got[0].(audit.Command); w.Code == http.StatusOK {
				if want := toldBy(said); timeless(got[1]) != want {
					t.Errorf("%q: the lease was told %+v, want %+v", body, got[1], want)
				}
			}
		case w.Code == http.StatusOK && to == "POST "+pathDrill:
			if len(got) != 1 {
				t.Fatalf("%q: the journal has %+v: want one report", body, got)
			}
			var sent audit.Drill
			d := json.NewDecoder(bytes.NewReader(body))
			d.DisallowUnknownFields()
			if err := d.Decode(&sent); err != nil {
				t.Fatalf("%q is kept: %v", body, err)
			}
			sent.User = "ada"
			if !reflect.DeepEqual(got[0], sent) || sent.Group != "g" || sent.Region != "a" {
				t.Errorf("%q is kept as %+v", body, got[0])
			}
		case len(got) > 0:
			t.Errorf("%s, %q: %d, and this came of it: %+v", to, body, w.Code, got)
		}
	})
}

// toldBy is what the lease is told by an order.
func toldBy(said audit.Command) lease.Event {
	switch said.Verb {
	case agent.SwitchOver:
		return lease.HandOver{To: said.Region, Loan: said.Loan}
	case agent.TakeOver:
		return lease.Takeover{Fenced: said.Region}
	case agent.Approve:
		return lease.Approve{Kind: said.Request}
	case agent.Pause, agent.Deny:
		return lease.Pause{For: said.For}
	case agent.Resume:
		return lease.Pause{}
	case agent.Recall:
		return lease.Recall{}
	}
	return nil
}

// timeless is an event without until when it is good.
func timeless(event any) any {
	switch e := event.(type) {
	case lease.Takeover:
		e.Until = 0
		return e
	case lease.Approve:
		e.Until = 0
		return e
	}
	return event
}

// flat reads the one JSON object that there is, as anybody would who does not know what it is for: names in any case, of two members of
// one name the last one, and none without a value.
func flat(t *testing.T, body []byte) map[string]any {
	t.Helper()
	all := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(body))
	next := func() json.Token {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%q is obeyed: %v", body, err)
		}
		return token
	}
	next()
	for d.More() {
		name := strings.ToLower(strings.ToUpper(next().(string)))
		if value := next(); value != nil {
			all[name] = value
		}
	}
	next()
	if more, err := d.Token(); err != io.EOF {
		t.Errorf("%q is obeyed, but for %v, %v at its end", body, more, err)
	}
	return all
}

// without leaves out what says as much as if it were not there.
func without(members map[string]any) map[string]any {
	for name, value := range members {
		if value == "" || value == false || value == 0.0 {
			delete(members, name)
		}
	}
	return members
}

// runAgent runs an agent of the region a, which has never seen b and so stands by for ever, until the test ends.
func runAgent(f testing.TB) (*agent.Agent, *orderBook) {
	f.Helper()
	dir, err := statedir.Open(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	book := &orderBook{make(chan any, 16)}
	a, err := agent.New(agent.Config{
		Params: lease.Params{
			Group: "g", Region: "a", Members: []lease.Region{"a", "b"}, TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second,
			PollInterval: 2 * time.Second, RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002,
		},
		Witnesses: []agent.Witness{emptyWitness{}}, Disk: dir, Journal: book, Clock: agent.BootClock{}, Log: hclog.NewNullLogger(),
	})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	f.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			f.Error(err)
		}
		dir.Close()
	})
	return a, book
}

// An emptyWitness takes everything, and has nothing.
type emptyWitness struct{}

func (emptyWitness) WriteFlag(context.Context, lease.Flag, *witness.Stamp) error { return nil }
func (emptyWitness) WriteInfo(context.Context, lease.Info) error                 { return nil }
func (emptyWitness) ReadRound(context.Context, bool) witness.Round {
	return witness.Round{
		Flags: make([]lease.FlagRead, 2), Stamps: make([]*witness.Stamp, 2), FlagErrors: make([]error, 2), Infos: make([]lease.InfoRead, 2), InfoErrors: make([]error, 2),
	}
}

// An orderBook is the agent's journal: of what people have said, and of what the lease was told by them.
type orderBook struct{ all chan any }

func (b *orderBook) Append(_ audit.Kind, body any) error {
	switch body := body.(type) {
	case audit.Command, audit.Drill:
		b.all <- body
	case audit.Step:
		switch body.Event.(type) {
		case lease.HandOver, lease.Takeover, lease.Approve, lease.Pause, lease.Recall:
			b.all <- body.Event
		}
	}
	return nil
}

func (b *orderBook) Sync() error { return nil }

// read returns what was written since it was last called. The agent is not paused then.
func (b *orderBook) read(t *testing.T, a *agent.Agent) (since []any) {
	t.Helper()
	if err := a.Command(t.Context(), audit.Command{Verb: agent.Resume, Reason: "all is read"}, false); err != nil {
		t.Fatal(err)
	}
	for {
		of := <-b.all
		if said, is := of.(audit.Command); is && said.User == "" {
			<-b.all // what the lease was told by it
			return since
		}
		since = append(since, of)
	}
}
