package httproute

import (
	"errors"
	"sync"
)

// atOnce does n things, 64 at once: as a bare client would.
func atOnce(n int, do func(int) error) error {
	errs := make([]error, n)
	room := make(chan struct{}, 64)
	var running sync.WaitGroup
	for i := range n {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			errs[i] = do(i)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
