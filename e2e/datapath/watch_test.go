//go:build datapath

package datapath_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/datapath/probe"
)

// A watch is somebody who tries to reach something all the time.
type watch struct {
	name string

	mu    sync.Mutex
	tries []probe.Try
	ended bool
}

// from is a place from which tries are made: probe.New or probe.Hold there.
type from func(ctx context.Context, kept bool, address string, tell func(probe.Try)) error

// fromHost is a place that the test itself can dial from.
func fromHost(dial func(ctx context.Context, network, address string) (net.Conn, error)) from {
	return func(ctx context.Context, kept bool, address string, tell func(probe.Try)) error {
		run := probe.New
		if kept {
			run = probe.Hold
		}
		run(ctx, func(ctx context.Context) (net.Conn, error) { return dial(ctx, "tcp", address) }, tell)
		return nil
	}
}

var fromHub = fromHost(new(net.Dialer).DialContext)

// fromPod has a pod of a region try.
func (r *region) fromPod(t *testing.T, name string) from {
	ip := r.pod(t, name).Status.PodIP
	return func(ctx context.Context, kept bool, address string, tell func(probe.Try)) error {
		path := "/new"
		if kept {
			path = "/hold"
		}
		body, err := r.ask(ctx, ip, path+"?to="+url.QueryEscape(address))
		if err != nil {
			return err
		}
		defer body.Close()
		lines := json.NewDecoder(body)
		for {
			var try probe.Try
			switch err := lines.Decode(&try); {
			case errors.Is(err, io.EOF):
				return nil // the connection that was kept has ended
			case err != nil:
				return err
			}
			tell(try)
		}
	}
}

// start begins to try until the test ends.
func start(t *testing.T, name string, kept bool, at from, address string) *watch {
	t.Helper()
	how := "new"
	if kept {
		how = "established"
	}
	w := &watch{name: fmt.Sprintf("%s, %s", name, how)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		err := at(ctx, kept, address, func(try probe.Try) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.tries = append(w.tries, try)
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
		if err != nil && ctx.Err() == nil {
			t.Errorf("%s: %v", w.name, err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return w
}

// since are the tries that were begun after some time.
func (w *watch) since(when time.Time) (tries []probe.Try) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, try := range w.tries {
		if try.Begun.After(when) {
			tries = append(tries, try)
		}
	}
	return tries
}

// settle waits until the newest tries, that were begun after some time, are all of one sort. A connection that was kept makes
// none any more when it has ended; that is the same as that all fail.
func (w *watch) settle(t *testing.T, since time.Time, what string, sort func(probe.Try) bool) {
	t.Helper()
	const enough = 5
	for begun := time.Now(); ; {
		tries, ended := w.since(since), w.hasEnded()
		if n := len(tries) - enough; n >= 0 && !slices.ContainsFunc(tries[n:], func(try probe.Try) bool { return !sort(try) }) {
			return
		}
		if ended && sort(probe.Try{}) {
			return
		}
		if time.Since(begun) > limit {
			t.Fatalf("%s: waited %v in vain until %s: %+v", w.name, limit, what, tries[max(0, len(tries)-enough):])
		}
		<-time.After(lookAgain)
	}
}

func (w *watch) hasEnded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func answered(try probe.Try) bool { return try.From != "" }
func failed(try probe.Try) bool   { return try.From == "" }

// by is a sort of tries: those that somebody has answered.
func by(name string) func(probe.Try) bool {
	return func(try probe.Try) bool { return try.From == name }
}

// first is how long after some time the first try of a sort began, that began after that.
func (w *watch) first(since time.Time, sort func(probe.Try) bool) (after time.Duration, ok bool) {
	for _, try := range w.since(since) {
		if sort(try) {
			return try.Begun.Sub(since), true
		}
	}
	return 0, false
}

// last is how long after some time the last answer of a sort came, however long before its try began.
func (w *watch) last(since time.Time, sort func(probe.Try) bool) (after time.Duration, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.tries) - 1; i >= 0; i-- {
		if sort(w.tries[i]) && w.tries[i].Ended.After(since) {
			return w.tries[i].Ended.Sub(since), true
		}
	}
	return 0, false
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

// lastError is why the newest try failed, if it did.
func (w *watch) lastError() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.tries) == 0 {
		return ""
	}
	return w.tries[len(w.tries)-1].Error
}
