package mirror

import (
	"fmt"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers/kube"
)

// drain writes whatever is due at a time, and returns how often it wrote.
func drain(q *queue, now time.Time) (creates, repeats int) {
	for {
		e, ok := q.next(now)
		switch {
		case !ok:
			return creates, repeats
		case e.name == "":
			creates++
		default:
			repeats++
		}
		q.done(e, "event", now)
	}
}

// TestQueueAggregates has something happen ten times a second for an hour: it is one Event, written ever more
// rarely, whose count is right in the end.
func TestQueueAggregates(t *testing.T) {
	q, now := newQueue(), time.Unix(1e9, 0)
	k := key{object: kube.Reference{Name: "route"}, reason: "taken", action: putBack}
	creates, repeats := 0, 0
	for range 36000 {
		q.add(k, "", now)
		c, r := drain(q, now)
		creates, repeats = creates+c, repeats+r
		now = now.Add(100 * time.Millisecond)
	}
	// 10, 20, 40, 80, 160 s and then 300 s apart.
	if creates != 1 || repeats != 5+(3600-310)/300 {
		t.Errorf("got %d creations and %d counts, want 1 and %d", creates, repeats, 5+(3600-310)/300)
	}
	now = now.Add(slowestPause)
	e, ok := q.next(now)
	if !ok || e.count != 36000 || e.written >= e.count {
		t.Errorf("got %+v, %v; want all that happened", e, ok)
	}
	q.done(e, "event", now)
	if _, ok := q.next(now.Add(time.Hour)); ok || len(q.all) > 0 {
		t.Errorf("got %d entries, want what has not happened for long forgotten", len(q.all))
	}
}

// TestQueueNewFirst: what is new is not held up by what happens again.
func TestQueueNewFirst(t *testing.T) {
	q, now := newQueue(), time.Unix(1e9, 0)
	old := key{reason: "old"}
	q.add(old, "", now)
	drain(q, now)
	q.add(old, "", now)
	q.add(key{reason: "new"}, "", now)
	if e, _ := q.next(now.Add(time.Hour)); e.reason != "new" {
		t.Errorf("got %q first, want what is new", e.reason)
	}
}

// TestQueueBound fills the queue: there is no room for more, and none is lost of what is in it.
func TestQueueBound(t *testing.T) {
	q, now := newQueue(), time.Unix(1e9, 0)
	added := 0
	for i := range most + 10 {
		if q.add(key{reason: fmt.Sprint(i)}, "", now) {
			added++
		}
	}
	if added != most || len(q.all) != most || q.waiting() != most {
		t.Errorf("got %d added, %d kept, %d waiting; want %d of each", added, len(q.all), q.waiting(), most)
	}
	if !q.add(key{reason: "0"}, "", now) {
		t.Error("what is in the queue is not counted")
	}
	if creates, _ := drain(q, now); creates != most {
		t.Errorf("got %d written, want %d", creates, most)
	}
	if q.add(key{reason: "more"}, "", now) {
		t.Error("there is room, though what was just written is still remembered")
	}
	if drain(q, now.Add(time.Hour)); !q.add(key{reason: "more"}, "", now.Add(3*time.Hour)) {
		t.Error("there is no room, though nothing has happened for hours")
	}
}
