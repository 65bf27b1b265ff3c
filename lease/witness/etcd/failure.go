package etcd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/openova-io/failoverd/lease/witness"
)

// Answers that no cluster of etcd gives.
var (
	errNoHeader = errors.New("the answer bears no cluster and revision")
	errOtherKey = errors.New("the answer is of another key")
)

// A staleError is an answer which is older than one that had come before its request was sent.
type staleError struct {
	revision, before int64
	member           uint64
}

func (e *staleError) Error() string {
	return fmt.Sprintf("member %x answered of revision %d, after an answer of revision %d: it is stale, and not linearizable", e.member, e.revision, e.before)
}

// An otherClusterError is an answer of another cluster than the first one's.
type otherClusterError struct{ got, want uint64 }

func (e *otherClusterError) Error() string {
	return fmt.Sprintf("it is of cluster %x, and another endpoint was of cluster %x", e.got, e.want)
}

const (
	remedyStale = "take whatever stands before etcd and makes its reads serializable out of the way (a cache, a proxy); " +
		"if the cluster was restored from a backup, restart failoverd in every region"
	remedyCluster  = "have witness.etcd.endpoints name the members of one cluster"
	remedyNotEtcd  = "have witness.etcd.endpoints name the client URLs of etcd's members (port 2379): something else answers there"
	remedyTLS      = "check witness.etcd.tls.ca_file, that the certificate of the member is for the host in witness.etcd.endpoints, and that both are for TLS or neither"
	remedyCert     = "check witness.etcd.tls.cert_file and key_file: the member wants a client certificate of an authority that it trusts"
	remedyUser     = "check witness.etcd.username and password_file"
	remedyRevised  = "nothing, if it does not last: etcd's users or roles have just changed"
	remedyRole     = "grant the user readwrite on the prefix: etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX/, of witness.prefix"
	remedyNoSpace  = "compact and defragment etcd's database, or raise --quota-backend-bytes, then run etcdctl alarm disarm"
	remedyNoQuorum = "see that more than half of etcd's members run and reach one another: etcdctl endpoint status --cluster"
	remedyDown     = "see that the member runs, and that this host reaches it"
	remedyCut      = "see that the member runs, and over TLS that witness.etcd.tls.cert_file and key_file are what it wants: it cut the connection"
	remedyLarge    = "remove the value of this key: no region has written it"
	remedyRate     = "have fewer requests made of etcd, or give it more of the machine: it does not keep up"
)

// failure is the error of a request that a member did not answer, or not as it should.
func failure(ctx context.Context, op, key, endpoint string, err error) *witness.Error {
	e := &witness.Error{Class: witness.Unreachable, Op: op, Key: key, Err: fmt.Errorf("ask %s: %w", endpoint, err)}
	var stale *staleError
	var other *otherClusterError
	switch {
	case errors.As(err, &stale):
		e.Class, e.Remedy = witness.BadAnswer, remedyStale
		return e
	case errors.As(err, &other):
		e.Class, e.Remedy = witness.BadAnswer, remedyCluster
		return e
	case errors.Is(err, errNoHeader), errors.Is(err, errOtherKey):
		e.Class, e.Remedy = witness.BadAnswer, remedyNotEtcd
		return e
	}
	s := status.Convert(err)
	e.Err = fmt.Errorf("ask %s: %s: %s", endpoint, s.Code(), s.Message())
	if ended := ended(ctx, s.Code()); ended != nil {
		e.Err = fmt.Errorf("ask %s: %w", endpoint, ended)
		if _, last, ok := strings.Cut(s.Message(), "connection error: "); ok { // why there was no connection for so long
			e.Err = fmt.Errorf("%w (%s)", e.Err, last)
		}
		return e
	}
	e.Class, e.Remedy = judge(rpctypes.Error(err), s)
	return e
}

// ended is why a call ended before its answer, nil if it did not. The deadline
// of the context is the server's too, which may notice it first.
func ended(ctx context.Context, code codes.Code) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case code == codes.DeadlineExceeded:
		return context.DeadlineExceeded
	}
	return nil
}

// judge sorts an error that etcd, gRPC or TLS has given.
func judge(err error, s *status.Status) (class witness.Class, remedy string) {
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		return witness.Quota, remedyNoSpace
	case errors.Is(err, rpctypes.ErrTooManyRequests):
		return witness.RateLimited, remedyRate
	case errors.Is(err, rpctypes.ErrPermissionDenied):
		return witness.Refused, remedyRole
	case errors.Is(err, rpctypes.ErrUserEmpty), errors.Is(err, rpctypes.ErrAuthFailed), errors.Is(err, rpctypes.ErrInvalidAuthToken),
		errors.Is(err, rpctypes.ErrAuthNotEnabled):
		return witness.Refused, remedyUser
	case errors.Is(err, rpctypes.ErrAuthOldRevision): // also for a name in a certificate, while they change
		return witness.Unreachable, remedyRevised
	case errors.Is(err, rpctypes.ErrNoLeader), errors.Is(err, rpctypes.ErrTimeout), errors.Is(err, rpctypes.ErrLeaderChanged),
		errors.Is(err, rpctypes.ErrTimeoutDueToLeaderFail), errors.Is(err, rpctypes.ErrTimeoutDueToConnectionLost), errors.Is(err, rpctypes.ErrGRPCTimeoutWaitAppliedIndex):
		return witness.Unreachable, remedyNoQuorum
	}
	switch says := func(text string) bool { return strings.Contains(s.Message(), text) }; {
	case says("remote error: tls:"):
		return witness.Refused, remedyCert
	case says("authentication handshake failed"), says("looked like an HTTP/1.1 header"):
		return witness.BadAnswer, remedyTLS
	case says("unexpected HTTP status code"), says("unexpected content-type"):
		return witness.BadAnswer, remedyNotEtcd
	case says("received message larger than max"):
		return witness.BadAnswer, remedyLarge
	case says("broken pipe"), says("connection reset by peer"): // what is left of the member's refusal, now and then
		return witness.Unreachable, remedyCut
	case says("connection refused"), says("no route to host"), says("no such host"):
		return witness.Unreachable, remedyDown
	}
	switch s.Code() {
	case codes.Unauthenticated, codes.PermissionDenied:
		return witness.Refused, remedyUser
	case codes.Unimplemented:
		return witness.BadAnswer, remedyNotEtcd
	}
	return witness.Unreachable, ""
}
