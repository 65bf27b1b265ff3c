package controlplane

import "golang.org/x/sync/errgroup"

// AtOnce does n things, 64 at once, as a bare client would, and returns the first error.
func AtOnce(n int, do func(int) error) error {
	var all errgroup.Group
	all.SetLimit(64)
	for i := range n {
		all.Go(func() error { return do(i) })
	}
	return all.Wait()
}
