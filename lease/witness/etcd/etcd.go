// Package etcd is the witness store in etcd. It is linearizable: its staleness
// bound is 0. Keys and values are etcd's own, as they are.
//
// It guarantees that each Put is sent at most once, that every read is asked
// to be linearizable, and that an answer which proves otherwise is an error:
// see [Store]. It speaks to one member at a time, and to the next in the list
// after an error, so a member that is down, frozen or cut off costs one call
// of those that are under way. etcd's own client is not used: it sends each
// request to another member in turn, finds out about a frozen one only after
// ten seconds, and repeats reads without end.
//
// It leaves to others to compact and defragment the database. It uses no
// leases and no watches of etcd.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/openova-io/failoverd/lease/witness"
)

// A Config says which cluster to use, and how.
type Config struct {
	Endpoints []string    // URLs of members, as witness.etcd.endpoints, in the order in which they are tried
	TLS       *tls.Config // of https
	Username  string      // empty: none is told
	Password  string
}

// A Store is a cluster of etcd.
//
// Every answer bears the revision of the cluster, which grows with each write.
// One that is lower than in an answer which had come before the request was
// sent is no linearizable one, whoever is to blame: a proxy that has members
// answer by themselves, a member that has lost its disk, a restored backup.
// The Store refuses it, as it does the answer of another cluster.
type Store struct {
	members []*member

	mu      sync.Mutex
	current int    // who is asked
	cluster uint64 // its id; 0 before the first answer
	seen    int64  // the highest revision of an answer
}

// New returns the store that cfg describes. It does no I/O; it fails if cfg
// can't be right, naming the configuration key to change.
func New(cfg Config) (*Store, error) {
	if len(cfg.Endpoints) == 0 {
		return nil, errors.New("witness.etcd.endpoints is empty, want the URLs of the cluster's members")
	}
	s := &Store{}
	for _, endpoint := range cfg.Endpoints {
		m, err := newMember(endpoint, cfg)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("witness.etcd.endpoints: %w", err), s.Close())
		}
		s.members = append(s.members, m)
	}
	return s, nil
}

// Close ends all connections. Calls that are under way fail.
func (s *Store) Close() error {
	var errs []error
	for _, m := range s.members {
		errs = append(errs, m.conn.Close())
	}
	return errors.Join(errs...)
}

// Put implements witness.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if err := witness.CheckSize(key, value); err != nil {
		return err
	}
	return s.ask(ctx, "put", key, func(ctx context.Context, kv pb.KVClient) (*pb.ResponseHeader, error) {
		answer, err := kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Value: value})
		return answer.GetHeader(), err
	})
}

// Get implements witness.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	var answer *pb.RangeResponse
	if err := s.ask(ctx, "get", key, read(key, &answer)); err != nil {
		return nil, err
	}
	if len(answer.Kvs) == 0 {
		return nil, witness.ErrNotFound
	}
	value := answer.Kvs[0].Value
	if len(value) > witness.MaxRecord+1 {
		value = append([]byte(nil), value[:witness.MaxRecord+1]...) // and not all of a stranger's in memory
	}
	return value, nil
}

// A request is sent to one member, and returns the header of its answer.
type request func(context.Context, pb.KVClient) (*pb.ResponseHeader, error)

// read is the request for a key. It is linearizable, unless Serializable is set.
func read(key string, into **pb.RangeResponse) request {
	return func(ctx context.Context, kv pb.KVClient) (*pb.ResponseHeader, error) {
		answer, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte(key), Limit: 1})
		if err == nil && (len(answer.Kvs) > 1 || len(answer.Kvs) == 1 && string(answer.Kvs[0].Key) != key) {
			return nil, errOtherKey
		}
		*into = answer
		return answer.GetHeader(), err
	}
}

// ask sends a request to the member whose turn it is.
func (s *Store) ask(ctx context.Context, op, key string, send request) error {
	if key == "" {
		return &witness.Error{Class: witness.Invalid, Op: op, Key: key, Err: errors.New("key is empty")}
	}
	if ctx.Err() != nil {
		return witness.Interrupted(ctx, op, key)
	}
	s.mu.Lock()
	asked := s.current
	s.mu.Unlock()
	err := s.askMember(ctx, s.members[asked], op, key, send)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.current == asked { // of several calls that fail, the first goes on to the next
			s.current = (asked + 1) % len(s.members)
		}
	}
	return err
}

// askMember sends a request to a member, and judges its answer.
func (s *Store) askMember(ctx context.Context, m *member, op, key string, send request) error {
	s.mu.Lock()
	before := s.seen
	s.mu.Unlock()
	header, err := m.call(ctx, send)
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		err = s.judge(header, before)
	}
	if err != nil {
		return failure(ctx, op, key, m.endpoint, err)
	}
	return nil
}

// judge refuses an answer that a linearizable cluster can't give when an
// answer had been received with this revision before the request was sent.
func (s *Store) judge(header *pb.ResponseHeader, before int64) error {
	if header == nil || header.ClusterId == 0 || header.Revision == 0 {
		return errNoHeader
	}
	if s.cluster == 0 {
		s.cluster = header.ClusterId
	}
	switch {
	case header.ClusterId != s.cluster:
		return &otherClusterError{header.ClusterId, s.cluster}
	case header.Revision < before:
		return &staleError{header.Revision, before, header.MemberId}
	}
	s.seen = max(s.seen, header.Revision)
	return nil
}
