package hook

import (
	"strings"
	"sync"
)

// tailSize bounds what is kept of a command's output.
const tailSize = 4 << 10

// A tail keeps the last tailSize bytes of what is written to it. It may be used
// by several goroutines.
type tail struct {
	mu  sync.Mutex
	buf []byte
	cut bool // something was dropped
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[max(0, len(p)-tailSize):]...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = t.buf[:copy(t.buf, t.buf[over:])]
		t.cut = true
	}
	return len(p), nil
}

// String is what was kept, as valid UTF-8, with a mark where it was cut.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := strings.ToValidUTF8(string(t.buf), "\uFFFD")
	if t.cut {
		return "..." + s
	}
	return s
}
