package page

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
)

const (
	timelineLength  = 20
	historyPatience = 250 * time.Millisecond // how long the page waits for the disk
	historyKept     = 5 * time.Second        // how long what was read is good for
	historyPace     = 500 * time.Millisecond // between two reads while a transition is not there that was made
)

// history reads the transitions, one read at a time, in a goroutine: a disk that hangs holds up nothing else.
type history struct {
	read func(limit int) ([]statedir.Episode, error)

	mu      sync.Mutex
	entries []statedir.Episode // of the last read that went well
	err     error              // of the last one
	at      time.Time          // when it ended
	ended   chan struct{}      // closed when the one that goes on ends; nil if none does
}

func newHistory(read func(limit int) ([]statedir.Episode, error)) *history {
	return &history{read: read}
}

// newest returns the last transitions, oldest first, and what keeps them from being the newest: nothing, most of the time. The
// last one is to be to a state.
func (h *history) newest(ctx context.Context, state lease.StateName) (entries []statedir.Episode, trouble string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended == nil && h.due(state) {
		h.ended = make(chan struct{})
		go h.again(h.ended)
	}
	if ended := h.ended; ended != nil {
		limit := time.NewTimer(historyPatience)
		defer limit.Stop()
		h.mu.Unlock()
		select {
		case <-ended:
		case <-limit.C:
		case <-ctx.Done():
		}
		h.mu.Lock()
	}
	switch {
	case h.err != nil:
		trouble = h.err.Error()
	case h.ended != nil:
		trouble = fmt.Sprintf("the disk has not answered for %v: these may not be the newest", historyPatience)
	}
	return h.entries, trouble
}

// due reports whether to read again.
func (h *history) due(state lease.StateName) bool {
	since := time.Since(h.at)
	last := len(h.entries) - 1
	return since > historyKept || since > historyPace && (last < 0 || h.entries[last].To != state)
}

func (h *history) again(ended chan struct{}) {
	entries, err := h.read(timelineLength)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.entries = entries
	}
	h.err, h.at, h.ended = err, time.Now(), nil
	close(ended)
}
