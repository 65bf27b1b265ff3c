package etcd

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/openova-io/failoverd/e2e/kvserver"
)

// A Link is one client's way to the cluster, by which its requests are seen.
type Link struct {
	pb.UnimplementedKVServer
	URL string

	client *clientv3.Client

	mu      sync.Mutex
	watcher kvserver.Watcher
}

// Link makes a way to the cluster. It ends with the test.
func (c *Cluster) Link(tb testing.TB) *Link {
	tb.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(0), Logger: zap.NewNop()})
	if err != nil {
		tb.Fatalf("etcd: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("etcd: %v", err)
	}
	l := &Link{URL: "http://" + listener.Addr().String(), client: client}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, l)
	go server.Serve(listener)
	tb.Cleanup(func() {
		server.Stop()
		client.Close()
	})
	return l
}

// Watch has a watcher be told of the requests to come, as [kvserver.Link.Watch] does: with HTTP's words for what they are
// and what became of them.
func (l *Link) Watch(w kvserver.Watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watcher = w
}

// see tells the watcher of a request.
func (l *Link) see(method string, key, value []byte) (answered func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var told func(int)
	if l.watcher != nil {
		told = l.watcher(kvserver.Request{Method: method, Key: string(key), Value: value})
	}
	return func(err error) {
		switch {
		case told == nil:
		case err != nil:
			told(http.StatusServiceUnavailable)
		default:
			told(http.StatusOK)
		}
	}
}

// Put passes a write on, once.
func (l *Link) Put(ctx context.Context, req *pb.PutRequest) (*pb.PutResponse, error) {
	answered := l.see(http.MethodPut, req.Key, req.Value)
	resp, err := pb.NewKVClient(l.client.ActiveConnection()).Put(ctx, req)
	answered(err)
	return resp, err
}

// Range passes a read on.
func (l *Link) Range(ctx context.Context, req *pb.RangeRequest) (*pb.RangeResponse, error) {
	answered := l.see(http.MethodGet, req.Key, nil)
	resp, err := pb.NewKVClient(l.client.ActiveConnection()).Range(ctx, req)
	answered(err)
	return resp, err
}
