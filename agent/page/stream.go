package page

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxStreams is how many streams may be open at once. It is for people: a screen on a wall, and whoever looks.
	maxStreams = 64

	// comeBack is after how many seconds one may ask again that is one too many.
	comeBack = 10
)

// timings are those of streams. A test has shorter ones.
type timings struct {
	pace     time.Duration // the least time between two frames
	beat     time.Duration // the longest, so that a page that hears nothing knows that it is cut off
	patience time.Duration // how long a frame may take to be sent, before its stream ends
}

var usual = timings{pace: 200 * time.Millisecond, beat: 5 * time.Second, patience: 10 * time.Second}

// A frame is an event, the same for all streams, and how to get the one after it.
type frame struct {
	event []byte
	next  chan struct{} // closed when there is a newer one
}

// Run renders for the streams until ctx ends; then they end.
func (p *Page) Run(ctx context.Context) {
	defer close(p.ended)
	beat := time.NewTicker(p.timings.beat)
	defer beat.Stop()
	for {
		select {
		case <-p.cfg.Agent.Changed():
		case <-p.opened:
		case <-beat.C:
		case <-ctx.Done():
			return
		}
		if len(p.open) == 0 {
			continue
		}
		event := p.event(ctx)
		before := p.newest.Swap(&frame{event, make(chan struct{})})
		close(before.next)
		beat.Reset(p.timings.beat)
		select {
		case <-time.After(p.timings.pace):
		case <-ctx.Done():
			return
		}
	}
}

// event is what the page says now, as an event: a text whose lines each begin with the name of the field.
func (p *Page) event(ctx context.Context) []byte {
	var facts, event bytes.Buffer
	if err := p.look(ctx).facts().Render(&facts); err != nil {
		return []byte(": the facts can't be rendered\n\n") // GET / says why
	}
	// Each of these ends a line of an event, and so does what somebody wrote into the text of an error.
	for line := range bytes.FieldsFuncSeq(facts.Bytes(), func(r rune) bool { return r == '\n' || r == '\r' }) {
		event.WriteString("data: ")
		event.Write(line)
		event.WriteByte('\n')
	}
	event.WriteByte('\n')
	return event.Bytes()
}

func (p *Page) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case p.open <- struct{}{}:
		defer func() { <-p.open }()
	default:
		w.Header().Set("Retry-After", strconv.Itoa(comeBack))
		http.Error(w, "there are "+strconv.Itoa(maxStreams)+" open pages already: close some, or reload GET / for the newest", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	out := http.NewResponseController(w)
	send := func(event []byte) bool {
		if out.SetWriteDeadline(time.Now().Add(p.timings.patience)) != nil {
			return false
		}
		_, err := w.Write(event)
		return err == nil && out.Flush() == nil
	}
	last := p.newest.Load() // which may be of long ago, when there was a stream
	ok := send([]byte("retry: 2000\n\n"))
	select {
	case p.opened <- struct{}{}:
	default:
	}
	for ok {
		select {
		case <-last.next:
			last = p.newest.Load()
			ok = send(last.event)
		case <-r.Context().Done():
			return
		case <-p.ended:
			return
		}
	}
}
