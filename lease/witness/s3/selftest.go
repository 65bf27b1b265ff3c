package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

const (
	testKeys    = 3  // that are written and read in turn
	testWrites  = 4  // of each of them
	testReads   = 4  // at once, after each write
	testRaces   = 6  // of conditional writes
	testRacers  = 5  // in each race
	testTries   = 20 // of a request that the store puts off
	cleanUpTime = 10 * time.Second
	// writeInterval is how far apart R2 wants the writes of one object.
	writeInterval = time.Second
)

// notStrong is what to do about a bucket on which the lease is not safe.
const notStrong = "use a bucket of a store that is strongly consistent and has conditional PUT, such as Cloudflare R2, AWS S3, SeaweedFS or MinIO, " +
	"with nothing in between that answers from a cache or drops headers: with this one two regions could be active at once"

// SelfTest implements witness.SelfTester. It reads after writes, also after
// misses, and races writes under conditions (If-Match and If-None-Match), of
// which one at most may succeed.
func (s *Store) SelfTest(ctx context.Context, prefix string) (seen string, err error) {
	t := &selfTest{store: s, prefix: prefix + "/" + rand.Text() + "/", used: map[string]bool{}}
	for _, step := range []func(context.Context) error{t.readAfterWrite, t.conditions, t.race} {
		if err = step(ctx); err != nil {
			break
		}
	}
	// When ctx has ended too, what was written is to be removed.
	cleanUp, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	left := t.cleanUp(cleanUp)
	if err != nil {
		return "", err
	}
	seen = fmt.Sprintf("each of %d writes was there in %d reads at once; of %d conditional writes that raced one succeeded, in each of %d races",
		testKeys*testWrites, testReads, testRacers, testRaces)
	if left != nil {
		seen += fmt.Sprintf("; what it has written is still there: %v", left)
	}
	return seen, nil
}

// A selfTest is one run.
type selfTest struct {
	store  *Store
	prefix string

	mu   sync.Mutex
	used map[string]bool // keys that may have to be removed
}

// nonce is a body that no other is equal to: the ETag of R2 and others is a
// digest of the body, and If-Match could not tell one write from another.
func nonce() []byte { return fmt.Appendf(nil, `{"nonce":%q}`, rand.Text()) }

// broken is the error of a store that does not do what it must.
func (t *selfTest) broken(key, format string, args ...any) error {
	return &witness.Error{Class: witness.BadAnswer, Op: "self-test", Key: key, Err: fmt.Errorf(format, args...), Remedy: notStrong}
}

// readAfterWrite reads what was just written, in several reads at once, and
// what is not there yet, lest that be remembered.
func (t *selfTest) readAfterWrite(ctx context.Context) error {
	for round := range testWrites {
		for i := range testKeys {
			key := fmt.Sprintf("%sread-%d", t.prefix, i)
			if round == 0 {
				if value, _, err := t.get(ctx, key); err != nil {
					return err
				} else if value != nil {
					return t.broken(key, "there is an object that was never written")
				}
			}
			body := nonce()
			if _, err := t.put(ctx, key, body, nil); err != nil {
				return err
			}
			if err := t.reads(ctx, key, body); err != nil {
				return err
			}
		}
	}
	return nil
}

// reads reads a key several times at once, and expects a value.
func (t *selfTest) reads(ctx context.Context, key string, want []byte) error {
	errs := make([]error, testReads)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			value, _, err := t.get(ctx, key)
			switch {
			case err != nil:
				errs[i] = err
			case value == nil:
				errs[i] = t.broken(key, "it is stale: a read that was sent after a write was answered found no object")
			case !slices.Equal(value, want):
				errs[i] = t.broken(key, "it is stale: a read that was sent after a write was answered brought another value")
			}
		})
	}
	all.Wait()
	return first(errs)
}

// first is the first error, nil if there is none.
func first(errs []error) error {
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}

// conditions tries each condition where it holds and where it does not.
func (t *selfTest) conditions(ctx context.Context) error {
	key := t.prefix + "condition"
	one, two := nonce(), nonce()
	first, err := t.put(ctx, key, one, http.Header{"If-None-Match": {"*"}})
	if err != nil {
		return err
	}
	if first == "" {
		return t.broken(key, "a write with If-None-Match: * of an object that does not exist was refused")
	}
	if etag, err := t.put(ctx, key, nonce(), http.Header{"If-None-Match": {"*"}}); err != nil {
		return err
	} else if etag != "" {
		return t.broken(key, "it ignores If-None-Match: a write with If-None-Match: * replaced an object")
	}
	second, err := t.put(ctx, key, two, http.Header{"If-Match": {first}})
	if err != nil {
		return err
	}
	if second == "" {
		return t.broken(key, "a write with If-Match, and the ETag that the object has, was refused")
	}
	if etag, err := t.put(ctx, key, nonce(), http.Header{"If-Match": {first}}); err != nil {
		return err
	} else if etag != "" {
		return t.broken(key, "it ignores If-Match: a write with the ETag of an older value replaced an object")
	}
	return t.reads(ctx, key, two)
}

// race has conditional writes contend, first for an object that does not exist
// and then for one version after the other.
func (t *selfTest) race(ctx context.Context) error {
	key := t.prefix + "race"
	condition := http.Header{"If-None-Match": {"*"}}
	for range testRaces {
		bodies, etags, errs := make([][]byte, testRacers), make([]string, testRacers), make([]error, testRacers)
		var all sync.WaitGroup
		for i := range testRacers {
			bodies[i] = nonce()
			all.Go(func() { etags[i], errs[i] = t.put(ctx, key, bodies[i], condition) })
		}
		all.Wait()
		if err := first(errs); err != nil {
			return err
		}
		winner := -1
		for i, etag := range etags {
			switch {
			case etag == "":
			case winner >= 0:
				return t.broken(key, "two of %d writes that raced under the same condition succeeded", testRacers)
			default:
				winner = i
			}
		}
		if winner < 0 {
			return t.broken(key, "all of %d writes that raced under the same condition were refused, expected one to succeed", testRacers)
		}
		if err := t.reads(ctx, key, bodies[winner]); err != nil {
			return err
		}
		condition = http.Header{"If-Match": {etags[winner]}}
	}
	return nil
}

// get returns a value and its ETag, and neither if there is no such object.
func (t *selfTest) get(ctx context.Context, key string) (value []byte, etag string, err error) {
	a, err := t.persist(ctx, http.MethodGet, key, nil, nil)
	if errors.Is(err, witness.ErrNotFound) {
		return nil, "", nil
	}
	return a.Body, a.etag(), err
}

// put writes under a condition and returns the new ETag, or none if the
// condition does not hold.
func (t *selfTest) put(ctx context.Context, key string, body []byte, condition http.Header) (etag string, err error) {
	t.mu.Lock()
	t.used[key] = true
	t.mu.Unlock()
	a, err := t.persist(ctx, http.MethodPut, key, body, condition)
	if a.Status == http.StatusPreconditionFailed {
		return "", nil
	}
	if a.Status == http.StatusNotImplemented && condition != nil {
		return "", t.broken(key, "it has no conditional writes: %w", errors.Unwrap(err))
	}
	return a.etag(), err
}

// persist makes a request again while the store says that it did not carry it
// out: R2 takes one write a second of an object, and AWS S3 answers 409 to a
// write that another one came between. The answer is there with an error too.
func (t *selfTest) persist(ctx context.Context, method, key string, body []byte, condition http.Header) (a answer, err error) {
	for range testTries {
		if a, err = t.store.exchange(ctx, method, key, body, condition); err != nil {
			return a, err
		}
		err = t.store.judge(a, strings.ToLower(method), key)
		if a.Status != http.StatusTooManyRequests && a.Status != http.StatusConflict {
			break
		}
		select {
		case <-time.After(max(writeInterval, a.RetryAfter())):
		case <-ctx.Done():
			return a, witness.Interrupted(ctx, strings.ToLower(method), key)
		}
	}
	return a, err
}

// cleanUp removes what the test has written.
func (t *selfTest) cleanUp(ctx context.Context) error {
	for key := range t.used {
		if err := t.store.Remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// Remove implements witness.SelfTester.
func (s *Store) Remove(ctx context.Context, key string) error {
	a, err := s.exchange(ctx, http.MethodDelete, key, nil, nil)
	if err == nil && a.Status != http.StatusNoContent && a.Status != http.StatusOK {
		err = s.judge(a, "delete", key)
	}
	return err
}
