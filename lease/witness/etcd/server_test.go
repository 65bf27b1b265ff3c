package etcd_test

import (
	"context"
	"net"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/openova-io/failoverd/lease/witness/etcd"
)

// A database is what the members of a cluster share.
type database struct {
	mu       sync.Mutex
	id       uint64
	revision int64
	values   map[string][]byte
}

// A server is a member that answers as etcd does, or as a test has it.
type server struct {
	pb.UnimplementedKVServer
	pb.UnimplementedAuthServer
	db   *database
	url  string
	grpc *grpc.Server

	// Where set, they are asked before the database.
	onPut   func(context.Context, *pb.PutRequest) (*pb.PutResponse, error)
	onRange func(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error)

	mu       sync.Mutex
	puts     int
	ranges   int
	password string // of the user witness; empty: all are let in
	token    string // that is valid
	old      string // the token from before users and roles changed
}

// serve starts a member of a cluster.
func serve(t *testing.T, db *database, opts ...grpc.ServerOption) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{db: db, url: "http://" + l.Addr().String(), grpc: grpc.NewServer(opts...)}
	pb.RegisterKVServer(s.grpc, s)
	pb.RegisterAuthServer(s.grpc, s)
	go s.grpc.Serve(l)
	t.Cleanup(s.grpc.Stop)
	return s
}

func newDatabase() *database {
	return &database{id: 0xc1, revision: 1, values: map[string][]byte{}}
}

func open(t *testing.T, cfg etcd.Config, members ...*server) *etcd.Store {
	t.Helper()
	for _, m := range members {
		cfg.Endpoints = append(cfg.Endpoints, m.url)
	}
	s, err := etcd.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func (s *server) header() *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: s.db.id, MemberId: 0xa, Revision: s.db.revision, RaftTerm: 2}
}

// enter counts a request, and lets it in or not.
func (s *server) enter(ctx context.Context, count *int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	*count++
	md, _ := metadata.FromIncomingContext(ctx)
	if token := md.Get(rpctypes.TokenFieldNameGRPC); s.old != "" && len(token) == 1 && token[0] == s.old {
		return rpctypes.ErrGRPCAuthOldRevision
	}
	if token := md.Get(rpctypes.TokenFieldNameGRPC); s.password != "" && (len(token) != 1 || token[0] != s.token) {
		return rpctypes.ErrGRPCInvalidAuthToken
	}
	return nil
}

func (s *server) counts() (puts, ranges int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts, s.ranges
}

func (s *server) Put(ctx context.Context, req *pb.PutRequest) (*pb.PutResponse, error) {
	if err := s.enter(ctx, &s.puts); err != nil {
		return nil, err
	}
	if s.onPut != nil {
		return s.onPut(ctx, req)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.revision++
	s.db.values[string(req.Key)] = req.Value
	return &pb.PutResponse{Header: s.header()}, nil
}

func (s *server) Range(ctx context.Context, req *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := s.enter(ctx, &s.ranges); err != nil {
		return nil, err
	}
	if s.onRange != nil {
		return s.onRange(ctx, req)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	answer := &pb.RangeResponse{Header: s.header()}
	if value, ok := s.db.values[string(req.Key)]; ok {
		answer.Kvs = []*mvccpb.KeyValue{{Key: req.Key, Value: value}}
	}
	return answer, nil
}

func (s *server) DeleteRange(_ context.Context, req *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	s.db.revision++
	delete(s.db.values, string(req.Key))
	return &pb.DeleteRangeResponse{Header: s.header()}, nil
}

func (s *server) Authenticate(_ context.Context, req *pb.AuthenticateRequest) (*pb.AuthenticateResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Name != "witness" || req.Password != s.password {
		return nil, rpctypes.ErrGRPCAuthFailed
	}
	s.token += "x"
	return &pb.AuthenticateResponse{Token: s.token}, nil
}

// forget has the server know no token, as after a restart.
func (s *server) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token += "y"
}

// revise has users or roles change, of which a JWT bears the revision.
func (s *server) revise() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.old = s.token
	s.token += "z"
}
