package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/quorum/client"
	"github.com/openova-io/failoverd/quorum/responder"
)

// newQuorumClient returns how this region asks others; nil without the section quorum.
func newQuorumClient(cfg *config.Config, secrets *config.Secrets) agent.Quorum {
	if cfg.Quorum == nil {
		return nil
	}
	return client.New(*quorumClientConfig(cfg, secrets))
}

// quorumClientConfig is nil without the section quorum.
func quorumClientConfig(cfg *config.Config, secrets *config.Secrets) *client.Config {
	if cfg.Quorum == nil {
		return nil
	}
	return &client.Config{
		Zone: cfg.Quorum.Zone, Resolvers: cfg.Quorum.Resolvers, Required: cfg.Quorum.Required, Timeout: time.Duration(cfg.Quorum.Timeout),
		Group: cfg.Group, Region: cfg.Region, PrivateKey: secrets.PrivateKey, Keys: cfg.PublicKeys(),
	}
}

// quorumServer is where this region is asked.
type quorumServer struct {
	responder *responder.Responder
	udp       net.PacketConn
	tcp       net.Listener
}

// listenQuorum opens both sockets of quorum.listen.
func listenQuorum(cfg *config.Config, secrets *config.Secrets, a *agent.Agent) (*quorumServer, error) {
	r, err := responder.New(responder.Config{
		Zone: cfg.Quorum.Zone, Group: cfg.Group, Region: cfg.Region, Keys: cfg.PublicKeys(), PrivateKey: secrets.PrivateKey,
		Window: responder.DefaultWindow, Rate: responder.DefaultRate, Answer: a.Answer, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	udp, err := net.ListenPacket("udp", cfg.Quorum.Listen)
	if err != nil {
		return nil, cantListen(err)
	}
	tcp, err := net.Listen("tcp", cfg.Quorum.Listen)
	if err != nil {
		udp.Close()
		return nil, cantListen(err)
	}
	a.Register(queries{r})
	return &quorumServer{r, udp, tcp}, nil
}

// cantListen is why quorum.listen can't be had, and what to do.
func cantListen(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("quorum.listen: %w; for a port below 1024 the service needs systemd/port-53.conf; or change quorum.listen", err)
	}
	return fmt.Errorf("quorum.listen: %w; change quorum.listen, or stop what uses the address", err)
}

// queries are the metrics of the server.
type queries struct{ *responder.Responder }

var descQueries = prometheus.NewDesc("failoverd_quorum_queries_total",
	"DNS queries to this region's own server, by what they were: answered, repeated, unanswered, bad_signature, malformed, stale, flood, plain, refused or limited.",
	[]string{"kind"}, nil)

func (queries) Describe(out chan<- *prometheus.Desc) { out <- descQueries }

func (q queries) Collect(out chan<- prometheus.Metric) {
	counts := q.Counts()
	for _, kind := range responder.Kinds { // 0, too: increase() does not see the first one in a series that begins with it
		out <- prometheus.MustNewConstMetric(descQueries, prometheus.CounterValue, float64(counts[kind]), string(kind))
	}
}

func (s *quorumServer) serve(ctx context.Context) error { return s.responder.Serve(ctx, s.udp, s.tcp) }

func (s *quorumServer) close() {
	s.udp.Close()
	s.tcp.Close()
}
