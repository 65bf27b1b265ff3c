package etcd_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/etcd"
)

func unavailable(text string) error { return status.Error(codes.Unavailable, text) }

// Each way in which etcd refuses, or is ill.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		err    error
		class  witness.Class
		remedy string
	}{
		{rpctypes.ErrGRPCNoSpace, witness.Quota, "etcdctl alarm disarm"},
		{rpctypes.ErrGRPCRequestTooManyRequests, witness.RateLimited, "fewer requests"},
		{rpctypes.ErrGRPCPermissionDenied, witness.Refused, "role grant-permission"},
		{rpctypes.ErrGRPCUserEmpty, witness.Refused, "witness.etcd.username"},
		{rpctypes.ErrGRPCAuthFailed, witness.Refused, "password_file"},
		{rpctypes.ErrGRPCAuthOldRevision, witness.Unreachable, "users or roles have just changed"},
		{rpctypes.ErrGRPCNoLeader, witness.Unreachable, "more than half of etcd's members"},
		{rpctypes.ErrGRPCTimeout, witness.Unreachable, "more than half of etcd's members"},
		{rpctypes.ErrGRPCStopped, witness.Unreachable, ""},
		{rpctypes.ErrGRPCCorrupt, witness.Unreachable, ""},
		{status.Error(codes.Unknown, "raft proposal dropped"), witness.Unreachable, ""},
		{status.Error(codes.Unimplemented, "unknown service etcdserverpb.KV"), witness.BadAnswer, "something else answers"},
		{status.Error(codes.Unauthenticated, "by a proxy"), witness.Refused, "witness.etcd.username"},
	} {
		s := serve(t, newDatabase())
		s.onPut = func(context.Context, *pb.PutRequest) (*pb.PutResponse, error) { return nil, test.err }
		err := open(t, etcd.Config{}, s).Put(t.Context(), "k", nil)
		var e *witness.Error
		if !errors.As(err, &e) || e.Class != test.class || !strings.Contains(e.Remedy, test.remedy) || !strings.Contains(err.Error(), s.url) {
			t.Errorf("%v: Put = %v, want class %s, remedy %q and %s", test.err, err, test.class, test.remedy, s.url)
		}
	}
}

func TestNotEtcd(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte("<html>Sign in"))
	})
	http2 := httptest.NewUnstartedServer(page)
	http2.Config.Protocols = new(http.Protocols)
	http2.Config.Protocols.SetUnencryptedHTTP2(true)
	http2.Start()
	defer http2.Close()
	http1 := httptest.NewServer(page)
	defer http1.Close()
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	for _, test := range []struct {
		name, url, remedy string
		class             witness.Class
	}{
		{"a page over HTTP/2", http2.URL, "something else answers", witness.BadAnswer},
		{"a page over HTTP/1.1", http1.URL, "for TLS or neither", witness.BadAnswer},
		{"nobody", "http://" + nobody.Addr().String(), "see that the member runs", witness.Unreachable},
	} {
		store := open(t, etcd.Config{Endpoints: []string{test.url}})
		_, err := store.Get(t.Context(), "k")
		if witness.ClassOf(err) != test.class || !strings.Contains(err.Error(), test.remedy) {
			t.Errorf("%s: Get = %v, want class %s and %q", test.name, err, test.class, test.remedy)
		}
	}
}

func TestPassword(t *testing.T) {
	s := serve(t, newDatabase())
	s.password = "long secret"
	store := open(t, etcd.Config{Username: "witness", Password: s.password}, s)
	for range 2 { // the second one has the token
		if err := store.Put(t.Context(), "k", nil); err != nil {
			t.Fatalf("Put = %v", err)
		}
	}
	s.forget() // refused before it is looked at, the write is sent with a new token
	if err := store.Put(t.Context(), "k", nil); err != nil {
		t.Errorf("Put after the member forgot the token = %v", err)
	}
	if puts, _ := s.counts(); puts != 4 {
		t.Errorf("the member got %d writes, want 4: one of them with the old token", puts)
	}
	s.revise() // refused before it is applied
	if err := store.Put(t.Context(), "k", nil); err != nil {
		t.Errorf("Put after users changed = %v", err)
	}
	s.revise()
	if _, err := store.Get(t.Context(), "k"); err != nil {
		t.Errorf("Get after users changed = %v", err)
	}
	if puts, ranges := s.counts(); puts != 6 || ranges != 2 {
		t.Errorf("the member got %d writes and %d reads, want 6 and 2: one of each with the token from before users changed", puts, ranges)
	}

	for name, cfg := range map[string]etcd.Config{"a wrong password": {Username: "witness", Password: "wrong secret"}, "none": {}} {
		err := open(t, cfg, s).Put(t.Context(), "k", nil)
		if witness.ClassOf(err) != witness.Refused || !strings.Contains(err.Error(), "check witness.etcd.username") || strings.Contains(err.Error(), "secret") {
			t.Errorf("with %s Put = %v, want class %s and its remedy, without the password", name, err, witness.Refused)
		}
	}
}
