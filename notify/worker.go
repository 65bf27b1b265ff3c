package notify

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// most is how many messages wait for one receiver.
	most = 256

	// usefulFor is how long a message is worth sending. One that is older tells nobody anything that is not known by then.
	usefulFor = 15 * time.Minute

	// attemptTimeout is how long a receiver may take to take a message.
	attemptTimeout = 10 * time.Second
)

// A worker sends one receiver its messages, one after the other.
type worker struct {
	receiver Receiver
	counts   *prometheus.CounterVec
	log      hclog.Logger
	news     chan struct{} // has something when there is a new message, or another alarm holds

	mu      sync.Mutex
	waiting []*Message // the oldest first
	sending bool       // the first of them
	holds   []*Message

	// Of the goroutine that sends.
	failures int       // in a row
	next     time.Time // no attempt before this
	remind   time.Time // the next time to
	failing  bool      // and that has been logged
}

func newWorker(r Receiver, counts *prometheus.CounterVec, log hclog.Logger) *worker {
	return &worker{receiver: r, counts: counts, log: log, news: make(chan struct{}, 1)}
}

// add queues a message. Where too many wait it drops the oldest one that is not on its way.
func (w *worker) add(m *Message) {
	w.mu.Lock()
	w.waiting = append(w.waiting, m)
	var lost *Message
	if len(w.waiting) > most {
		oldest := 0
		if w.sending {
			oldest = 1
		}
		lost = w.waiting[oldest]
		w.waiting = append(w.waiting[:oldest], w.waiting[oldest+1:]...)
	}
	w.mu.Unlock()
	if lost != nil {
		w.lose(lost, dropped, nil)
	}
	w.wake()
}

// hold notes which alarms hold.
func (w *worker) hold(alarms []*Message) {
	w.mu.Lock()
	w.holds = alarms
	w.mu.Unlock()
	w.wake()
}

func (w *worker) wake() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// run sends until ctx ends, and then what waits, for a while.
func (w *worker) run(ctx context.Context, patience time.Duration) {
	w.remind = time.Now().Add(w.receiver.RemindEvery())
	for ctx.Err() == nil {
		due, _ := w.work(ctx)
		w.wait(ctx, due)
	}
	w.failures, w.next = 0, time.Time{} // there is no time for a pause
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for last.Err() == nil {
		due, left := w.work(last)
		if !left {
			break
		}
		w.wait(last, due)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.waiting {
		w.lose(m, dropped, errors.New("the agent has stopped"))
	}
	w.waiting = nil
}

// wait returns when something is due, or there is news, or ctx has ended.
func (w *worker) wait(ctx context.Context, due time.Time) {
	if due.IsZero() {
		select {
		case <-ctx.Done():
		case <-w.news:
		}
		return
	}
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.news:
	case <-timer.C:
	}
}

// work makes an attempt, if one is due. It returns when the next one is, the zero time if none is known, and whether any message
// is left.
func (w *worker) work(ctx context.Context) (due time.Time, left bool) {
	now := time.Now()
	w.mu.Lock()
	var m *Message
	if len(w.waiting) > 0 {
		m = w.waiting[0]
	}
	old := m != nil && now.Sub(m.Time) > usefulFor
	w.sending = old || m != nil && !now.Before(w.next)
	sending, holds := w.sending, w.holds
	w.mu.Unlock()
	reminds := len(holds) > 0 && w.receiver.RemindEvery() > 0
	switch {
	case old:
		w.lose(m, expired, nil)
		return now, w.sent(true)
	case sending:
		through := w.attempt(ctx, func(ctx context.Context) error { return w.receiver.Send(ctx, m) }, m)
		return now, w.sent(through)
	case reminds && !now.Before(w.remind):
		w.remind = now.Add(w.receiver.RemindEvery())
		w.attempt(ctx, func(ctx context.Context) error { return w.receiver.Remind(ctx, holds) }, nil)
		return now, m != nil
	}
	if m != nil {
		due = w.next
	}
	if reminds && (due.IsZero() || w.remind.Before(due)) {
		due = w.remind
	}
	return due, m != nil
}

// sent ends the sending of the first message, which goes if it is through with. It reports whether any is left.
func (w *worker) sent(through bool) (left bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.sending = false; through {
		w.waiting = w.waiting[1:]
	}
	return len(w.waiting) > 0
}

// attempt tries to send a message once, or with none to remind. It reports whether the message is through with.
func (w *worker) attempt(ctx context.Context, do func(context.Context) error, m *Message) (through bool) {
	trying, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	err := do(trying)
	var no *RefusedError
	switch {
	case err == nil:
		if m != nil {
			w.counts.WithLabelValues(w.receiver.Name(), sent).Inc()
		}
		if w.failing {
			w.failing = false
			w.log.Info("works again", "receiver", w.receiver.Name())
		}
	case ctx.Err() != nil:
		return false // the agent ends, and what waits is tried once more
	case m != nil && errors.As(err, &no):
		w.lose(m, refused, err)
	default:
		w.counts.WithLabelValues(w.receiver.Name(), failed).Inc()
		w.next = time.Now().Add(pause(w.failures, err))
		w.failures++
		if !w.failing {
			w.failing = true
			w.log.Warn("notifications fail; they are tried again, and the lease goes on without", "receiver", w.receiver.Name(), "error", err)
		}
		return false
	}
	w.failures, w.next = 0, time.Time{}
	return true
}

// lose counts a message that will not be sent any more.
func (w *worker) lose(m *Message, outcome string, err error) {
	w.counts.WithLabelValues(w.receiver.Name(), outcome).Inc()
	args := []any{"receiver", w.receiver.Name(), "outcome", outcome, "id", m.ID, "kind", m.Kind, "reason", m.Reason}
	if err != nil {
		args = append(args, "error", err)
	}
	w.log.Warn("a notification was given up", args...)
}
