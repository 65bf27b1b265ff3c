package witness

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
)

// A SelfTester is a Store that can find out whether what stands behind it
// keeps to the staleness bound that is claimed for its type.
type SelfTester interface {
	Store

	// SelfTest writes and reads keys that begin with prefix, and removes them.
	// Nobody else may use them meanwhile. It returns in words what it has seen;
	// the error, an *Error, says what the store did that it must not do, or why
	// that could not be found out.
	SelfTest(ctx context.Context, prefix string) (seen string, err error)

	// Remove removes the value of a key that is no register's.
	Remove(ctx context.Context, key string) error
}

// ErrNoSelfTest says that a store has no self-test.
var ErrNoSelfTest = errors.New("the store has no self-test")

// SelfTest has the store test itself, with keys that are no register's. The
// error is ErrNoSelfTest, or as SelfTester has it.
func (w *Witness) SelfTest(ctx context.Context) (seen string, err error) {
	store, ok := w.store.(SelfTester)
	if !ok {
		return "", ErrNoSelfTest
	}
	return store.SelfTest(ctx, w.Key("test", w.cfg.Region))
}

// A Scratch is a key of a store that is no register's and that nobody else uses, with stamps in it and nothing else.
type Scratch struct {
	store SelfTester
	key   string
}

// NewScratch returns one; false for a store that is not written to for tests, as it has no self-test.
func (w *Witness) NewScratch() (*Scratch, bool) {
	store, ok := w.store.(SelfTester)
	return &Scratch{store, w.Key("test", w.cfg.Region) + "/" + rand.Text()}, ok
}

// Write puts a stamp there, as WriteFlag does a flag.
func (s *Scratch) Write(ctx context.Context, stamp *Stamp) error {
	value, err := json.Marshal(stamp)
	if err != nil {
		return err
	}
	return s.store.Put(ctx, s.key, value)
}

// Read reads it; it is nil without an error if none is there.
func (s *Scratch) Read(ctx context.Context) (*Stamp, error) {
	value, err := s.store.Get(ctx, s.key)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return parseStamp(value), err
}

// Remove removes it.
func (s *Scratch) Remove(ctx context.Context) error { return s.store.Remove(ctx, s.key) }
