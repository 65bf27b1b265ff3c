package agent_test

import (
	"context"
	"sync"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

// store is the witness: a map that takes 0.1 s, and that can hang or be down.
type store struct {
	mu     sync.Mutex
	values map[string][]byte
	puts   int
	hangs  chan struct{} // calls take no notice of their context until it is closed; nil: they answer
	down   error         // what every call returns; nil: it is up
}

func (s *store) call(do func()) {
	time.Sleep(100 * time.Millisecond)
	s.mu.Lock()
	hangs := s.hangs
	s.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func (s *store) Put(ctx context.Context, key string, value []byte) (err error) {
	s.call(func() {
		if err = s.down; err == nil {
			s.values[key] = value
			s.puts++
		}
	})
	return err
}

func (s *store) Get(ctx context.Context, key string) (value []byte, err error) {
	s.call(func() {
		var ok bool
		if value, ok = s.values[key]; !ok {
			err = witness.ErrNotFound
		}
		if s.down != nil {
			err = s.down
		}
	})
	return value, err
}

func (s *store) set(down error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *store) hang() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = make(chan struct{})
}

func (s *store) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.hangs)
	s.hangs = nil
}

// aged is the witness as a region sees it whose reads may be old.
type aged struct {
	*store
	by *region

	mu  sync.Mutex
	got map[string]answer
}

// An answer is one to a read.
type answer struct {
	value []byte
	err   error
	at    time.Time
}

func (s *aged) Get(ctx context.Context, key string) ([]byte, error) {
	var old time.Duration
	s.by.set(func() { old = s.by.readsOld })
	s.mu.Lock()
	a, ok := s.got[key]
	s.mu.Unlock()
	if ok && time.Since(a.at) < old {
		return a.value, a.err
	}
	a.at = time.Now()
	a.value, a.err = s.store.Get(ctx, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[key] = a
	return a.value, a.err
}
