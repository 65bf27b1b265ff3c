package witness

import (
	"context"
	"errors"
	"fmt"
)

// MaxRecord is the size in bytes of the largest value that a Store keeps.
const MaxRecord = 64 << 10

// CheckSize refuses a value that no Store keeps.
func CheckSize(key string, value []byte) error {
	if len(value) > MaxRecord {
		return &Error{Class: Invalid, Op: "put", Key: key, Err: fmt.Errorf("value has %d bytes, want at most %d", len(value), MaxRecord)}
	}
	return nil
}

// ErrNotFound says that the store answered, and that it has no value for the
// key. As stores cache misses too, that is a read like another and never means
// that a lease is free (§3, take).
var ErrNotFound = errors.New("no such record")

// A Store is a set of registers, each written by one region and read by all
// (§1). Its methods may be called from several goroutines.
//
// A Store holds no policy: it does not retry, cache, or look into values. Both
// methods return soon after ctx ends. Every error but ErrNotFound is an *Error
// and means "unknown": a Put that returned one may have landed, may land at
// any later time, even after newer ones, or never; but it lands at most once.
type Store interface {
	// Put replaces the value of key. Once it has returned nil, every Get that
	// is sent the store's staleness bound later or after that returns this
	// value or a newer one. A value of more than MaxRecord bytes is refused
	// with class Invalid, and so is a key that the store can't hold.
	Put(ctx context.Context, key string, value []byte) error

	// Get returns a value that was Put under key, whole, or ErrNotFound. Of a
	// value that is larger than MaxRecord, which only a stranger can have
	// written, it returns the first MaxRecord+1 bytes, so that the caller sees
	// it and no more memory is spent on it.
	Get(ctx context.Context, key string) ([]byte, error)
}
