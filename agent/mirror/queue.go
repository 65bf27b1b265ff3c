package mirror

import (
	"sync"
	"time"

	"github.com/openova-io/failoverd/layers/kube"
)

// A key is what makes two happenings the same.
type key struct {
	object  kube.Reference
	warning bool
	reason  string
	action  string
	about   string // what a notice is about; empty for none
	epoch   uint64
}

// An entry is one Event: waiting to be written, or remembered so that what happens again is
// counted and not written anew.
type entry struct {
	key
	note  string
	first time.Time
	last  time.Time
	count int // how often it happened

	name    string        // of the Event, once it is created
	written int           // the count that it has
	sent    time.Time     // when it was written last
	pause   time.Duration // that passes before it is written again
}

const (
	// most is how many Events wait or are remembered: more than the objects of a region.
	most = 8192

	// firstPause passes before an Event is counted up for the first time, then twice as
	// much each time, up to slowestPause. So long is one remembered, too.
	firstPause   = 10 * time.Second
	slowestPause = 5 * time.Minute
)

// A queue is bounded, and puts happenings that are the same together.
type queue struct {
	news chan struct{} // has something when there is a new entry

	mu    sync.Mutex
	all   map[key]*entry
	fresh []*entry // that are not created yet, the oldest first
}

func newQueue() *queue { return &queue{news: make(chan struct{}, 1), all: map[key]*entry{}} }

// add notes that something happened. It reports whether there was room.
func (q *queue) add(k key, note string, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.all[k]
	if e == nil {
		if len(q.all) >= most {
			q.forget(now)
		}
		if len(q.all) >= most {
			return false
		}
		e = &entry{key: k, note: note, first: now, pause: firstPause}
		q.all[k] = e
		q.fresh = append(q.fresh, e)
		select {
		case q.news <- struct{}{}:
		default:
		}
	}
	e.count++
	e.last = now
	return true
}

// forget drops what has not happened for long.
func (q *queue) forget(now time.Time) {
	for k, e := range q.all {
		if e.name != "" && e.written == e.count && now.Sub(e.last) > slowestPause {
			delete(q.all, k)
		}
	}
}

// next is what is to be written next, a copy; ok is false if nothing is due. Something new
// comes before what has happened again.
func (q *queue) next(now time.Time) (e entry, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.fresh) > 0 {
		return *q.fresh[0], true
	}
	q.forget(now)
	for _, e := range q.all {
		if e.count > e.written && now.Sub(e.sent) >= e.pause {
			return *e, true
		}
	}
	return entry{}, false
}

// done notes that an entry which next gave was written under a name, or was refused: then it
// is tried again when it happens again, and not at once.
func (q *queue) done(e entry, name string, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.fresh) > 0 && q.fresh[0].key == e.key {
		q.fresh = q.fresh[1:]
	}
	is := q.all[e.key]
	if is.name != "" {
		is.pause = min(2*is.pause, slowestPause)
	}
	is.name, is.written, is.sent = name, e.count, now
}

// waiting is how many Events are not created yet.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.fresh)
}
