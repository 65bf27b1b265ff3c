package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/lease"
)

// watched is an agent that answers, does not, and answers again, and a context that ends while it is asked for the fourth time.
func watched(t *testing.T) (ctx context.Context, address string) {
	ctx, interrupt := context.WithCancel(t.Context())
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 4:
			interrupt() // while it waits for this answer
			fallthrough
		default:
			_ = json.NewEncoder(w).Encode(agent.Status{Group: "g", Region: "a", State: lease.Standby})
		}
	}))
	t.Cleanup(server.Close)
	return ctx, strings.TrimPrefix(server.URL, "http://")
}

// TestWatch watches an agent that answers, does not, and answers again, until it is interrupted.
func TestWatch(t *testing.T) {
	ctx, address := watched(t)
	var out bytes.Buffer
	cmd := root()
	cmd.SetArgs([]string{"status", "--watch", "--address", address})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(ctx); err != nil {
		t.Errorf("interrupted it ends with %v, want no error", err)
	}
	if got := strings.Count(out.String(), "a of group g is standby"); got != 2 || !strings.Contains(out.String(), "it answers 503") {
		t.Errorf("it shows the status %d times, want 2, and between them that the agent did not answer:\n%s", got, &out)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("there are escapes for a terminal in what is none")
	}
}

// TestWatchJSON watches an agent of which one answer is none: a program reads object after object, and finds nothing else between.
func TestWatchJSON(t *testing.T) {
	ctx, address := watched(t)
	var out, errs bytes.Buffer
	cmd := root()
	cmd.SetArgs([]string{"status", "--watch", "-o", "json", "--address", address})
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	if err := cmd.ExecuteContext(ctx); err != nil {
		t.Errorf("interrupted it ends with %v, want no error", err)
	}
	read, text := 0, out.String()
	for objects := json.NewDecoder(&out); ; read++ {
		var s agent.Status
		if err := objects.Decode(&s); err == io.EOF {
			break
		} else if err != nil || s.State != lease.Standby {
			t.Fatalf("object %d: %v, and a is %q:\n%s", read+1, err, s.State, text)
		}
	}
	if read != 2 || !strings.Contains(errs.String(), "it answers 503") {
		t.Errorf("it shows %d objects, want 2, and on standard error that the agent did not answer: %q", read, &errs)
	}
}

// TestWatchWrongly ends at once where asking again would not help.
func TestWatchWrongly(t *testing.T) {
	if out, err := failoverd(t, "status", "--watch", "--config", "/nowhere.yaml"); err == nil {
		t.Errorf("with no configuration it goes on: %s", out)
	}
}
