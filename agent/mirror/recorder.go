package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

const (
	// eventRate is how many Events are written in a second at most: those of a thousand
	// objects take 50 s, and take little from an API server that is busy with the objects.
	eventRate = 20

	// lookAgain is how soon it is looked whether anything that happened again is due.
	lookAgain = time.Second
)

// Record has an Event written for what an order has come to for an object.
func (m *Mirror) Record(e kube.Event) { m.add(ofObject(e)) }

// Transition has an Event written for a change of the region's state.
func (m *Mirror) Transition(t lease.Transition) { m.add(ofTransition(t)) }

// Notice has an Event written for what an operator should know of, and Ended for the end of such
// a thing.
func (m *Mirror) Notice(n lease.Notice) { m.add(ofNotice(n, notice)) }
func (m *Mirror) Ended(n lease.Notice)  { m.add(ofNotice(n, noticeEnded)) }

func (m *Mirror) add(k key, note string) {
	if !m.queue.add(k, note, time.Now()) {
		m.metrics.events.WithLabelValues("dropped").Inc()
	}
}

// runEvents writes Events until ctx ends, and then those that are waiting, for a while.
func (m *Mirror) runEvents(ctx context.Context) {
	select {
	case <-m.tried: // so that those about the Lease can say which it is
	case <-ctx.Done():
	}
	w := eventWriter{mirror: m, limit: rate.NewLimiter(eventRate, 1),
		trouble: trouble{log: m.cfg.Log, what: "what happens can't be shown as Events in the cluster"}}
	for ctx.Err() == nil {
		if w.writeNext(ctx) {
			continue
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
		case <-m.queue.news:
		case <-timer.C:
		}
		timer.Stop()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cfg.Params.RequestTimeout)
	defer cancel()
	for m.queue.waiting() > 0 && w.writeNext(last) {
	}
	m.metrics.events.WithLabelValues("dropped").Add(float64(m.queue.waiting()))
}

// An eventWriter writes Events one after the other.
type eventWriter struct {
	mirror  *Mirror
	limit   *rate.Limiter
	trouble trouble
}

// writeNext writes what is due next. It returns false if nothing is, or if that has to be
// tried again later.
func (w *eventWriter) writeNext(ctx context.Context) bool {
	m := w.mirror
	e, ok := m.queue.next(time.Now())
	if !ok || w.limit.Wait(ctx) != nil {
		return false
	}
	writing, cancel := context.WithTimeout(ctx, m.cfg.Params.RequestTimeout)
	defer cancel()
	name, err := w.write(writing, e)
	if ctx.Err() != nil {
		return false
	}
	w.trouble.note(err)
	var refused apierrors.APIStatus
	switch {
	case err == nil && e.name == "":
		m.metrics.events.WithLabelValues("created").Inc()
	case err == nil:
		m.metrics.events.WithLabelValues("repeated").Inc()
	default:
		m.metrics.events.WithLabelValues("error").Inc()
		if !errors.As(err, &refused) || refused.Status().Code >= 500 || apierrors.IsTooManyRequests(err) {
			return false // it may take it later
		}
	}
	m.queue.done(e, name, time.Now())
	return true
}

// write creates an Event, or counts one up; one that the API server does not have is
// created anew. It returns the Event's name, also with an error.
func (w *eventWriter) write(ctx context.Context, e entry) (name string, err error) {
	m := w.mirror
	if e.key.object == (kube.Reference{}) {
		e.key.object = m.reference()
	}
	in := m.cfg.Client.Resource(events).Namespace(namespaceOf(e.key.object))
	if e.name != "" {
		patch, err := json.Marshal(map[string]any{"series": e.series()})
		if err != nil {
			return e.name, err
		}
		_, err = in.Patch(ctx, e.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: kube.FieldManager})
		if !apierrors.IsNotFound(err) {
			return e.name, err
		}
		e.first = e.last
	}
	o := e.object(m.cfg.Params.Region)
	_, err = in.Create(ctx, o, metav1.CreateOptions{FieldManager: kube.FieldManager})
	if apierrors.IsAlreadyExists(err) {
		err = nil // the answer to an earlier attempt was lost
	}
	return o.GetName(), err
}
