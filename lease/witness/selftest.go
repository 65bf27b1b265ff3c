package witness

import (
	"context"
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
