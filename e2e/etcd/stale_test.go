package etcd_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/lease/witness"
	store "github.com/openova-io/failoverd/lease/witness/etcd"
)

// A proxy has one member write, and another one read by itself, as one does that means to take load off the cluster.
type proxy struct {
	pb.UnimplementedKVServer
	writes, reads pb.KVClient
}

func (p *proxy) Put(ctx context.Context, req *pb.PutRequest) (*pb.PutResponse, error) {
	return p.writes.Put(ctx, req)
}

func (p *proxy) Range(ctx context.Context, req *pb.RangeRequest) (*pb.RangeResponse, error) {
	req.Serializable = true
	return p.reads.Range(ctx, req)
}

// serve starts a proxy, and returns its URL.
func (p *proxy) serve(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer()
	pb.RegisterKVServer(srv, p)
	go srv.Serve(l)
	t.Cleanup(srv.Stop)
	return "http://" + l.Addr().String()
}

// A member that is cut off and asked to answer by itself goes on to serve what was. A region that has written since, or
// has read elsewhere, knows better.
func TestSerializableReadsAreRefused(t *testing.T) {
	cluster := etcd.StartApart(t, 3)
	endpoint := (&proxy{
		writes: pb.NewKVClient(cluster.Client(t, 0).ActiveConnection()),
		reads:  pb.NewKVClient(cluster.Client(t, 1).ActiveConnection()),
	}).serve(t)
	s := open(t, store.Config{Endpoints: []string{endpoint}})
	put := func(value string) {
		t.Helper()
		if err := s.Put(t.Context(), "k", []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	put("old")
	cluster.Await(t, 1) // has it too
	for cluster.Leader(t) == 1 {
		cluster.MoveLeader(t) // a write that is on its way to a leader who is cut off comes to nothing
	}
	if got, err := s.Get(t.Context(), "k"); err != nil || string(got) != "old" {
		t.Fatalf("Get while all is well = %q, %v", got, err)
	}
	cluster.Cut(t, 1)
	put("new")

	got, err := s.Get(t.Context(), "k")
	var e *witness.Error
	if !errors.As(err, &e) || e.Class != witness.BadAnswer || !strings.Contains(err.Error(), "it is stale, and not linearizable") || !strings.Contains(e.Remedy, "a proxy") {
		t.Errorf("Get = %q, %v, want class %s and that it is stale", got, err, witness.BadAnswer)
	}
	// The proof is what the region knows: one that has just started has none, and check --live makes one.
	if _, err := open(t, store.Config{Endpoints: []string{endpoint}}).SelfTest(t.Context(), "failoverd/g/test/a"); witness.ClassOf(err) != witness.BadAnswer || !strings.Contains(err.Error(), "it is stale") {
		t.Errorf("SelfTest = %v, want class %s and that it is stale", err, witness.BadAnswer)
	}
	if got, err := open(t, store.Config{Endpoints: []string{endpoint}}).Get(t.Context(), "k"); err != nil || string(got) != "old" {
		t.Errorf("Get of one that knows nothing = %q, %v: this test's proxy serves nothing stale", got, err)
	}
	cluster.Mend(t, 1)
	cluster.Await(t, 1)
	if got, err := s.Get(t.Context(), "k"); err != nil || string(got) != "new" {
		t.Errorf("Get when the member is back = %q, %v", got, err)
	}
}
