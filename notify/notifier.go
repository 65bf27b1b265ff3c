package notify

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openova-io/failoverd/lease"
)

// A Receiver is one that is told. Send and Remind make one attempt, and may block until their context ends; an error is
// "unknown", but for a RefusedError.
type Receiver interface {
	Name() string // in metrics and logs
	Send(context.Context, *Message) error

	// RemindEvery is how often Remind tells it all alarms that hold; 0 for a receiver that remembers.
	RemindEvery() time.Duration
	Remind(context.Context, []*Message) error

	// Check says what keeps the receiver from being reached. It tells it nothing.
	Check(context.Context) error
}

// Events are Kubernetes Events about the region. No method blocks.
type Events interface {
	Transition(lease.Transition)
	Notice(lease.Notice) // an alarm that begins, too
	Ended(lease.Notice)
}

// Config is what a Notifier is made of.
type Config struct {
	Params    lease.Params
	Receivers []Receiver
	Events    Events // nil without a cluster
	Log       hclog.Logger
}

// A Notifier is one agent's. Transition, Notice and Show are for one goroutine, the agent's loop.
type Notifier struct {
	cfg     Config
	run     string // this run of the agent, as ids name it
	counts  *prometheus.CounterVec
	workers []*worker

	number uint64         // of the last message
	step   []lease.Notice // since the last Show
	holds  []*Message     // the alarms that hold, in the order of the last Show
}

// New returns a Notifier that has told nothing yet.
func New(cfg Config) *Notifier {
	var run [8]byte
	rand.Read(run[:]) // never fails
	n := &Notifier{cfg: cfg, run: hex.EncodeToString(run[:]), counts: newMetrics(cfg.Receivers)}
	for _, r := range cfg.Receivers {
		n.workers = append(n.workers, newWorker(r, n.counts, cfg.Log))
	}
	return n
}

// Run sends until ctx ends; then it sends what is left, as far as that takes no longer than Params.RequestTimeout.
func (n *Notifier) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, w := range n.workers {
		all.Go(func() { w.run(ctx, n.cfg.Params.RequestTimeout) })
	}
	all.Wait()
}

// Describe and Collect make a Notifier a collector of its counts.
func (n *Notifier) Describe(ch chan<- *prometheus.Desc) { n.counts.Describe(ch) }
func (n *Notifier) Collect(ch chan<- prometheus.Metric) { n.counts.Collect(ch) }

// Transition tells of a change of the region's state. That an instance follows from now on is no such change.
func (n *Notifier) Transition(t lease.Transition) {
	if n.cfg.Events != nil {
		n.cfg.Events.Transition(t)
	}
	if t.To == lease.Follower {
		return
	}
	m := n.message(Transition, t.Reason)
	m.From, m.To, m.Epoch = t.From, t.To, t.Epoch
	n.tell(m)
}

// Notice takes in what began or happened in a step. Show tells it, which knows whether it holds.
func (n *Notifier) Notice(notice lease.Notice) { n.step = append(n.step, notice) }

// Show tells which alarms hold after a step, and so has told which began and which ended.
func (n *Notifier) Show(d lease.Decision, alarms []lease.Notice) {
	step := n.step
	n.step = n.step[:0]
	if d.State == lease.Follower {
		// Another instance tells of the region now. Those that hold for it too must not end.
		if len(n.holds) > 0 {
			n.holds = nil
			n.hold()
		}
		return
	}
	if len(step) == 0 && slices.EqualFunc(n.holds, alarms, (*Message).of) {
		return
	}
	was := n.holds
	var holds, begun, ended []*Message
	for _, h := range was {
		if !slices.ContainsFunc(alarms, h.of) || slices.ContainsFunc(step, h.of) { // an alarm that holds begins again only after it has ended
			m := n.message(AlarmEnded, h.Reason)
			m.About, m.Witness, m.Detail, m.Began = h.About, h.Witness, h.Detail, &h.Time
			ended = append(ended, m)
		}
	}
	for _, a := range alarms {
		if i := slices.IndexFunc(was, func(h *Message) bool { return h.of(a) }); i >= 0 && !slices.ContainsFunc(step, was[i].of) {
			holds = append(holds, was[i])
			continue
		}
		m := n.message(Alarm, a.Reason)
		m.About, m.Witness, m.Detail = a.Region, a.Witness, a.Detail
		holds, begun = append(holds, m), append(begun, m)
	}
	n.holds = holds
	for _, m := range ended {
		n.tellNotice(m)
	}
	for _, m := range begun {
		n.tellNotice(m)
	}
	for _, s := range step {
		of := func(m *Message) bool { return m.of(s) }
		if slices.ContainsFunc(was, of) || slices.ContainsFunc(holds, of) {
			continue // it is told as an alarm
		}
		m := n.message(Notice, s.Reason)
		m.About, m.Witness, m.Detail = s.Region, s.Witness, s.Detail
		n.tellNotice(m)
	}
	n.hold()
}

// hold tells the workers which alarms hold. Nothing of these messages changes any more.
func (n *Notifier) hold() {
	for _, w := range n.workers {
		w.hold(n.holds)
	}
}

func (n *Notifier) message(kind Kind, why lease.ReasonCode) *Message {
	p, of := n.cfg.Params, lease.ReasonOf(why)
	return &Message{
		Version: 1, Time: time.Now().UTC(), Kind: kind, Group: p.Group, Region: p.Region, Instance: p.Instance,
		Reason: why, Severity: of.Severity, Title: of.Title, Text: of.Text, Remedy: of.Remedy, Runbook: runbook(kind, why),
	}
}

// of reports whether a message is of the alarm that a notice is about.
func (m *Message) of(n lease.Notice) bool {
	return m.Reason == n.Reason && m.About == n.Region && m.Witness == n.Witness
}

// tellNotice tells of what is no transition.
func (n *Notifier) tellNotice(m *Message) {
	if n.cfg.Events != nil {
		notice := lease.Notice{Reason: m.Reason, Region: m.About, Witness: m.Witness, Detail: m.Detail}
		if m.Kind == AlarmEnded {
			n.cfg.Events.Ended(notice)
		} else {
			n.cfg.Events.Notice(notice)
		}
	}
	n.tell(m)
}

// tell numbers a message, and queues it for every receiver.
func (n *Notifier) tell(m *Message) {
	if len(n.workers) == 0 {
		return
	}
	n.number++
	m.ID = fmt.Sprintf("%s/%s/%s/%d", m.Group, m.Region, n.run, n.number)
	m.Alarms = make([]Held, len(n.holds))
	for i, h := range n.holds {
		m.Alarms[i] = Held{Reason: h.Reason, About: h.About, Witness: h.Witness, Began: h.Time}
	}
	for _, w := range n.workers {
		w.add(m)
	}
}
