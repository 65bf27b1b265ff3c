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
