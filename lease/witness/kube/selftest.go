package kube

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

const (
	testWrites  = 5
	testReads   = 4                // at once, after each write
	cleanUpTime = 10 * time.Second // for the removal of the object
)

// SelfTest implements witness.SelfTester. It reads each of some writes several
// times at once. So it finds out too whether the namespace is there: to a read
// one that is not looks like a record that is missing.
func (s *Store) SelfTest(ctx context.Context, prefix string) (seen string, err error) {
	key := prefix + "/" + rand.Text()
	defer func() {
		// When ctx has ended too, what was written is to be removed.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		if left := s.Remove(ctx, key); err == nil && left != nil {
			seen += fmt.Sprintf("; ConfigMap %s is still there: %v", name(key), left)
		}
	}()
	for range testWrites {
		value := rand.Text()
		if err := s.Put(ctx, key, []byte(value)); err != nil {
			return "", err
		}
		wrong := make([]error, testReads)
		var wg sync.WaitGroup
		for i := range wrong {
			wg.Go(func() {
				switch got, err := s.Get(ctx, key); {
				case err == witness.ErrNotFound, err == nil && string(got) != value:
					wrong[i] = s.bad("self-test", key, remedyStale, "a read does not bring what was written just before: it is stale, and not linearizable")
				default:
					wrong[i] = err
				}
			})
		}
		wg.Wait()
		for _, err := range wrong {
			if err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("each of %d writes was there in %d reads at once", testWrites, testReads), nil
}

// Remove implements witness.SelfTester. An agent needs no permission for it. What is not
// there is removed: a write that failed may have landed, or not.
func (s *Store) Remove(ctx context.Context, key string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, s.base.JoinPath(name(key)).String(), nil)
	if err != nil {
		return err
	}
	res, body, err := s.send(req)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK && !(res.StatusCode == http.StatusNotFound && verdictOf(body).Reason == "NotFound") {
		return fmt.Errorf("HTTP status %d: %.200s", res.StatusCode, body)
	}
	return nil
}
