package etcd

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/openova-io/failoverd/lease/witness"
)

const (
	testWrites  = 5
	testTimeout = 3 * time.Second  // of a read of one member
	cleanUpTime = 10 * time.Second // for the removal of the key
)

// SelfTest implements witness.SelfTester. It reads each of some writes from
// every member: each has to have it, and to be of the same cluster. A member
// that does not answer is told of, and is no error.
func (s *Store) SelfTest(ctx context.Context, prefix string) (seen string, err error) {
	key := prefix + "/" + rand.Text()
	defer func() {
		// When ctx has ended too, what was written is to be removed.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		if left := s.Remove(ctx, key); err == nil && left != nil {
			seen += fmt.Sprintf("; what it has written is still there: %v", left)
		}
	}()
	silent := make([]error, len(s.members))
	for range testWrites {
		value := rand.Text()
		if err := s.Put(ctx, key, []byte(value)); err != nil {
			return "", err
		}
		wrong := make([]error, len(s.members))
		var wg sync.WaitGroup
		for i, m := range s.members {
			if silent[i] != nil {
				continue
			}
			wg.Go(func() { silent[i], wrong[i] = s.testRead(ctx, m, key, value) })
		}
		wg.Wait()
		for _, err := range wrong {
			if err != nil {
				return "", err
			}
		}
	}
	var down []string
	for _, err := range silent {
		if err != nil {
			down = append(down, err.Error())
		}
	}
	seen = fmt.Sprintf("each of %d writes was there at %d of %d members", testWrites, len(s.members)-len(down), len(s.members))
	if len(down) > 0 {
		seen += "; the others do not answer: " + strings.Join(down, "; ")
	}
	return seen, nil
}

// Remove implements witness.SelfTester.
func (s *Store) Remove(ctx context.Context, key string) error {
	return s.ask(ctx, "remove", key, func(ctx context.Context, kv pb.KVClient) (*pb.ResponseHeader, error) {
		answer, err := kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte(key)})
		return answer.GetHeader(), err
	})
}

// testRead reads what was just written from one member, which may be silent or wrong.
func (s *Store) testRead(ctx context.Context, m *member, key, want string) (silent, wrong error) {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	var answer *pb.RangeResponse
	switch err := s.askMember(ctx, m, "self-test", key, read(key, &answer)); {
	case witness.ClassOf(err) == witness.BadAnswer:
		return nil, err
	case err != nil:
		return err, nil
	case len(answer.Kvs) == 0 || string(answer.Kvs[0].Value) != want:
		return nil, &witness.Error{Class: witness.BadAnswer, Op: "self-test", Key: key, Remedy: remedyStale,
			Err: fmt.Errorf("ask %s: a read does not bring what was written just before: it is stale, and not linearizable", m.endpoint)}
	}
	return nil, nil
}
