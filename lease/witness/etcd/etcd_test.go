package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/etcd"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

func TestConformance(t *testing.T) {
	witnesstest.Run(t, func(t *testing.T) witness.Store {
		db := newDatabase()
		return open(t, etcd.Config{}, serve(t, db), serve(t, db))
	})
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		endpoints []string
		want      string
	}{
		{nil, "witness.etcd.endpoints is empty"},
		{[]string{"http://127.0.0.1:2379", "etcd-0:2379"}, "etcd-0:2379"},
		{[]string{"https://etcd-0"}, "https://etcd-0.example.com:2379"},
		{[]string{"https://user@etcd-0:2379"}, "witness.etcd.endpoints"},
		{[]string{"https://etcd-0:2379/v3"}, "witness.etcd.endpoints"},
		{[]string{"http://%zz"}, "witness.etcd.endpoints"},
	} {
		_, err := etcd.New(etcd.Config{Endpoints: test.endpoints})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New(%q) = %v, want %q", test.endpoints, err, test.want)
		}
	}
}

// Whatever etcd, gRPC or the network answer, a write is sent once: not again
// to the same member, and not to another one.
func TestPutIsSentOnce(t *testing.T) {
	for _, err := range []error{
		rpctypes.ErrGRPCNoLeader, rpctypes.ErrGRPCLeaderChanged, rpctypes.ErrGRPCTimeout, rpctypes.ErrGRPCStopped,
		rpctypes.ErrGRPCRequestTooManyRequests, rpctypes.ErrGRPCAuthOldRevision, rpctypes.ErrGRPCInvalidAuthToken,
		unavailable("there is no connection available"), unavailable("there is no address available"),
		errors.New("of an unknown kind"),
	} {
		first, second := serve(t, newDatabase()), serve(t, newDatabase())
		first.onPut = func(context.Context, *pb.PutRequest) (*pb.PutResponse, error) { return nil, err }
		if got := open(t, etcd.Config{}, first, second).Put(t.Context(), "k", nil); got == nil {
			t.Errorf("%v: Put = nil", err)
		}
		puts, _ := first.counts()
		others, _ := second.counts()
		if puts != 1 || others != 0 {
			t.Errorf("%v: the first member got %d writes, the second %d, want 1 and 0", err, puts, others)
		}
	}
}

func TestPutIsSentOnceWhenTheConnectionIsCut(t *testing.T) {
	first, second := serve(t, newDatabase()), serve(t, newDatabase())
	first.onPut = func(ctx context.Context, _ *pb.PutRequest) (*pb.PutResponse, error) {
		go first.grpc.Stop()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	err := open(t, etcd.Config{}, first, second).Put(t.Context(), "k", nil)
	if witness.ClassOf(err) != witness.Unreachable {
		t.Errorf("Put = %v, want class %s", err, witness.Unreachable)
	}
	puts, _ := first.counts()
	if others, _ := second.counts(); puts != 1 || others != 0 {
		t.Errorf("the first member got %d writes, the second %d, want 1 and 0", puts, others)
	}
}

func TestReadsAreLinearizable(t *testing.T) {
	s := serve(t, newDatabase())
	s.onRange = func(_ context.Context, req *pb.RangeRequest) (*pb.RangeResponse, error) {
		if req.Serializable {
			t.Error("a read was serializable")
		}
		return &pb.RangeResponse{Header: s.header()}, nil
	}
	if _, err := open(t, etcd.Config{}, s).Get(t.Context(), "k"); !errors.Is(err, witness.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

// What no linearizable cluster answers is refused, with its reason.
func TestBadAnswers(t *testing.T) {
	header := func(cluster uint64, revision int64) *pb.ResponseHeader {
		return &pb.ResponseHeader{ClusterId: cluster, MemberId: 0xb, Revision: revision}
	}
	for _, test := range []struct {
		name   string
		answer *pb.RangeResponse
		want   string
	}{
		{"stale", &pb.RangeResponse{Header: header(0xc1, 1)}, "member b answered of revision 1, after an answer of revision 2: it is stale"},
		{"of another cluster", &pb.RangeResponse{Header: header(0xc2, 9)}, "of cluster c2, and another endpoint was of cluster c1"},
		{"without a header", &pb.RangeResponse{}, "bears no cluster and revision"},
		{"without a revision", &pb.RangeResponse{Header: header(0xc1, 0)}, "bears no cluster and revision"},
		{"of another key", &pb.RangeResponse{Header: header(0xc1, 9), Kvs: []*mvccpb.KeyValue{{Key: []byte("j")}}}, "of another key"},
	} {
		s := serve(t, newDatabase())
		store := open(t, etcd.Config{}, s)
		if err := store.Put(t.Context(), "k", nil); err != nil { // makes it revision 2
			t.Fatal(err)
		}
		s.onRange = func(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error) { return test.answer, nil }
		_, err := store.Get(t.Context(), "k")
		var e *witness.Error
		if !errors.As(err, &e) || e.Class != witness.BadAnswer || !strings.Contains(err.Error(), test.want) || e.Remedy == "" {
			t.Errorf("%s: Get = %v, want class %s and %q", test.name, err, witness.BadAnswer, test.want)
		}
		s.onRange = nil
		if _, err := store.Get(t.Context(), "k"); err != nil {
			t.Errorf("%s: Get afterwards = %v", test.name, err)
		}
	}
}

// A read that was sent before an answer came may be answered of an older revision.
func TestConcurrentReadIsNotStale(t *testing.T) {
	s := serve(t, newDatabase())
	store := open(t, etcd.Config{}, s)
	s.onRange = func(ctx context.Context, _ *pb.RangeRequest) (*pb.RangeResponse, error) {
		old := s.header()
		if err := store.Put(ctx, "k", nil); err != nil {
			t.Error(err)
		}
		return &pb.RangeResponse{Header: old}, nil
	}
	if _, err := store.Get(t.Context(), "k"); !errors.Is(err, witness.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
}

func TestOversizeReadIsBounded(t *testing.T) {
	for _, test := range []struct {
		size  int
		class witness.Class
	}{{1 << 20, ""}, {5 << 20, witness.BadAnswer}} {
		db := newDatabase()
		db.values["k"] = make([]byte, test.size)
		got, err := open(t, etcd.Config{}, serve(t, db)).Get(t.Context(), "k")
		if witness.ClassOf(err) != test.class || err == nil && len(got) != witness.MaxRecord+1 {
			t.Errorf("of %d bytes Get = %d bytes, %v, want %d or class %q", test.size, len(got), err, witness.MaxRecord+1, test.class)
		}
	}
}

// One call is what a frozen member costs, and one of several at once is what moves on.
func TestFrozenMember(t *testing.T) {
	db := newDatabase()
	first, second, third := serve(t, db), serve(t, db), serve(t, db)
	thaw := make(chan struct{})
	first.onPut = func(ctx context.Context, _ *pb.PutRequest) (*pb.PutResponse, error) {
		select {
		case <-ctx.Done():
		case <-thaw:
		}
		return nil, ctx.Err()
	}
	defer close(thaw)
	store := open(t, etcd.Config{}, first, second, third)
	if _, err := store.Get(t.Context(), "k"); !errors.Is(err, witness.ErrNotFound) { // connects
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			err := store.Put(ctx, "k", nil)
			if witness.ClassOf(err) != witness.Unreachable || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), first.url) {
				t.Errorf("Put to a frozen member = %v, want class %s, the deadline and %s", err, witness.Unreachable, first.url)
			}
		})
	}
	wg.Wait()
	if err := store.Put(t.Context(), "k", nil); err != nil {
		t.Errorf("Put after that: %v", err)
	}
	if puts, _ := second.counts(); puts != 1 {
		t.Errorf("the second member got %d writes, want 1", puts)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	s := serve(t, newDatabase())
	store := open(t, etcd.Config{}, s)
	if err := store.Put(t.Context(), "k", nil); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	s.grpc.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		var stacks bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&stacks, 2); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(stacks.String(), "google.golang.org/grpc") {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("goroutines are left:\n%s", stacks.String())
		}
	}
}
