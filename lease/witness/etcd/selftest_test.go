package etcd_test

import (
	"context"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/etcd"
)

func TestSelfTest(t *testing.T) {
	for _, test := range []struct {
		name  string
		harm  func(second *server)
		class witness.Class
		want  string
	}{
		{"right", func(*server) {}, "", "was there at 2 of 2 members"},
		{"a member that is down", func(s *server) { s.grpc.Stop() }, "", "was there at 1 of 2 members; the others do not answer: self-test"},
		{"a member of another cluster", func(s *server) { s.db = &database{id: 0xc2, revision: 9} }, witness.BadAnswer, "of cluster c2"},
		{"a member that is behind", func(s *server) {
			old := s.header()
			s.onRange = func(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) {
				return &pb.RangeResponse{Header: old}, nil
			}
		}, witness.BadAnswer, "it is stale"},
		{"a cache that makes headers up", func(s *server) {
			s.onRange = func(_ context.Context, req *pb.RangeRequest) (*pb.RangeResponse, error) {
				return &pb.RangeResponse{Header: s.header(), Kvs: []*mvccpb.KeyValue{{Key: req.Key, Value: []byte("old")}}}, nil
			}
		}, witness.BadAnswer, "does not bring what was written just before"},
	} {
		db := newDatabase()
		first, second := serve(t, db), serve(t, db)
		test.harm(second)
		seen, err := open(t, etcd.Config{}, first, second).SelfTest(t.Context(), "p/g/test/r")
		said := seen
		if err != nil {
			said = err.Error()
		}
		if witness.ClassOf(err) != test.class || !strings.Contains(said, test.want) {
			t.Errorf("%s: SelfTest = %q, %v, want class %q and %q", test.name, seen, err, test.class, test.want)
		}
		if len(db.values) != 0 {
			t.Errorf("%s: %d keys are left", test.name, len(db.values))
		}
	}
}
