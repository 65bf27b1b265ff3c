package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/notify"
)

// A listener is a receiver that takes all, or hangs.
type listener struct {
	hangs bool
	told  []string
}

func (l *listener) Name() string { return fmt.Sprintf("hangs %v", l.hangs) }

func (l *listener) Send(ctx context.Context, m *notify.Message) error {
	if l.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	l.told = append(l.told, strings.TrimSpace(fmt.Sprintf("%s %s %s", m.Kind, m.Reason, m.To)))
	return nil
}

func (l *listener) RemindEvery() time.Duration                      { return 0 }
func (l *listener) Remind(context.Context, []*notify.Message) error { return nil }
func (l *listener) Check(context.Context) error                     { return nil }

// TestNotifier: each transition and each alarm is told once, when it begins and when it ends, and a receiver that hangs holds
// nothing up: the lease is renewed at the same times as in TestLife.
func TestNotifier(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		takes, hangs := &listener{}, &listener{hangs: true}
		a := w.regions["a"]
		params := w.params
		params.Region = "a"
		notifier := notify.New(notify.Config{Params: params, Receivers: []notify.Receiver{hangs, takes}, Log: hclog.NewNullLogger()})
		a.notifier = notifier
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); notifier.Run(ctx) }()
		a.start()
		w.regions["b"].start()
		w.until(45 * time.Second)
		w.want(`
			0.0 a layer inactive, epoch 0
			0.0 b layer inactive, epoch 0
			30.2 a saved 1 until 55.2
			30.2 a layer active, epoch 1
			30.3 a saved 1 until 60.2
			40.3 a saved 1 until 70.2`)
		w.store.set(errors.New("no route"))
		w.until(52 * time.Second)
		w.store.set(nil)
		w.until(75 * time.Second)
		cancel()
		<-ended
		if want := []string{
			"transition starting fencing", "transition fenced standby", "transition suspected candidate", "transition taken active",
			"alarm witness_unreachable", "alarm_ended witness_unreachable",
		}; !slices.Equal(takes.told, want) {
			t.Errorf("told %q, want %q", takes.told, want)
		}
		if s := a.agent.Status(); s.State != lease.Active || !s.Authority {
			t.Errorf("got %s, want active", s.State)
		}
	})
}
