package witness

import (
	"context"
	"errors"
	"sync"

	"github.com/openova-io/failoverd/lease"
)

// Several are the witnesses of a group, or its one: what is no part of the lease goes through all of them at once, and
// is there when one has it.
type Several []*Witness

// WriteNotes writes notes to each; the error is nil if one has taken them.
func (s Several) WriteNotes(ctx context.Context, notes Notes) error {
	errs := s.each(func(_ int, w *Witness) error { return w.WriteNotes(ctx, notes) })
	for _, err := range errs {
		if err == nil {
			return nil
		}
	}
	return errors.Join(errs...)
}

// ReadNotes returns the newest notes of a member that any of them has, or the errors of all.
func (s Several) ReadNotes(ctx context.Context, region lease.Region) (newest Notes, err error) {
	read := make([]Notes, len(s))
	errs := s.each(func(i int, w *Witness) (err error) {
		read[i], err = w.ReadNotes(ctx, region)
		return err
	})
	found := false
	for i, err := range errs {
		if err == nil && (!found || read[i].Sent.After(newest.Sent)) {
			newest, found = read[i], true
		}
	}
	if found {
		return newest, nil
	}
	return Notes{}, errors.Join(errs...)
}

// each does something with all of them at once.
func (s Several) each(do func(i int, w *Witness) error) []error {
	errs := make([]error, len(s))
	var wg sync.WaitGroup
	for i, w := range s {
		wg.Go(func() { errs[i] = do(i, w) })
	}
	wg.Wait()
	return errs
}
