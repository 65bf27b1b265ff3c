package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
)

// A member is one server of the cluster, and the way to it.
type member struct {
	endpoint string
	conn     *grpc.ClientConn
	kv       pb.KVClient

	username, password string // empty: none is told

	mu    sync.Mutex
	token string // that the member has given for them, empty before that
}

// newMember makes no connection yet.
func newMember(endpoint string, cfg Config) (*member, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Port() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%q is no URL like https://etcd-0.example.com:2379", endpoint)
	}
	secure := insecure.NewCredentials()
	if u.Scheme == "https" {
		secure = credentials.NewTLS(cfg.TLS)
	}
	conn, err := grpc.NewClient("passthrough:///"+u.Host,
		grpc.WithTransportCredentials(secure),
		grpc.WithNoProxy(),
		// A request that a server may have taken is not sent again, whatever that server or DNS would have of its clients (§1).
		grpc.WithDisableRetry(), grpc.WithDisableServiceConfig(),
		// Tried again soon: whoever waits for the store has a deadline of seconds.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		// A connection whose path has died. A server takes it amiss when it is asked more often.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithIdleTimeout(0),
	)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", endpoint, err)
	}
	return &member{endpoint: endpoint, conn: conn, kv: pb.NewKVClient(conn), username: cfg.Username, password: cfg.Password}, nil
}

// call sends one request. Where the member knows the token no more, as after
// its restart, it says so before it looks at the request; and a JWT from before
// the users or roles changed is refused where the request would be applied. That
// has not landed, and is sent with another one.
func (m *member) call(ctx context.Context, send request) (*pb.ResponseHeader, error) {
	if m.username == "" {
		return send(ctx, m.kv)
	}
	for again := false; ; again = true {
		token, err := m.authenticate(ctx)
		if err != nil {
			return nil, err
		}
		header, err := send(metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token), m.kv)
		is := rpctypes.Error(err)
		if !errors.Is(is, rpctypes.ErrInvalidAuthToken) && !errors.Is(is, rpctypes.ErrAuthOldRevision) || again {
			return header, err
		}
		m.forget(token)
	}
}

// authenticate is the token that the member has given, or gives now.
func (m *member) authenticate(ctx context.Context) (string, error) {
	m.mu.Lock()
	token := m.token
	m.mu.Unlock()
	if token != "" {
		return token, nil
	}
	answer, err := pb.NewAuthClient(m.conn).Authenticate(ctx, &pb.AuthenticateRequest{Name: m.username, Password: m.password})
	if err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.token = answer.Token
	return answer.Token, nil
}

func (m *member) forget(token string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.token == token {
		m.token = ""
	}
}
