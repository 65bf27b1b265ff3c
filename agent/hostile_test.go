package agent_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/quorum/client"
)

const hostileZone = "failover.example.com"

// absurdEpoch is what hostile questions and answers name: once it has counted, no lower one does.
const absurdEpoch = 1 << 40

func hostileParams() lease.Params {
	return lease.Params{
		Group: "g", Region: "b", Members: []lease.Region{"a", "b"}, Quorum: true,
		TTL: 6 * time.Second, RenewInterval: time.Second, RetryInterval: 100 * time.Millisecond, PollInterval: time.Second,
		RequestTimeout: time.Second, FenceTimeout: time.Second, MaxClockDrift: 0.002,
	}
}

func hostileKey(r lease.Region) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte(r), ed25519.SeedSize)[:ed25519.SeedSize])
}

func hostileKeys() map[lease.Region]ed25519.PublicKey {
	keys := map[lease.Region]ed25519.PublicKey{}
	for _, m := range hostileParams().Members {
		keys[m] = hostileKey(m).Public().(ed25519.PublicKey)
	}
	return keys
}

// startB starts the agent of b, on real time, of the group {a, b}; a is the test.
func startB(t *testing.T, resolvers ...string) *agent.Agent {
	t.Helper()
	params := hostileParams()
	w, err := witness.New(&store{values: map[string][]byte{}}, witness.Config{
		Prefix: "failoverd", Group: "g", Region: "b", Members: params.Members, PrivateKey: hostileKey("b"), PublicKeys: hostileKeys(),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := statedir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	asks := client.New(client.Config{
		Zone: hostileZone, Resolvers: resolvers, Required: 2, Timeout: params.RequestTimeout / 2,
		Group: "g", Region: "b", PrivateKey: hostileKey("b"), Keys: hostileKeys(),
	})
	b, err := agent.New(agent.Config{
		Params: params, Version: "v1", Witnesses: []agent.Witness{w}, Quorum: asks, Layers: []layers.Layer{new(spanLayer)}, Disk: dir,
		Clock: agent.BootClock{}, Log: hclog.New(&hclog.LoggerOptions{Output: io.Discard}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		dir.Close()
	})
	await(t, "b stands by", func() bool {
		s := b.Status()
		return s.State == lease.Standby && len(s.Layers) == 1 && s.Layers[0].State == layers.Inactive
	})
	return b
}

// known is all that b knows that does not change with time alone.
type known struct {
	State     lease.StateName
	Epoch     uint64
	Authority bool
	Holder    lease.Region
	Peer      agent.PeerStatus
	Answer    agent.PeerQuorum
}

func knownTo(b *agent.Agent) known {
	s := b.Status()
	k := known{State: s.State, Epoch: s.Epoch, Authority: s.Authority, Holder: s.Holder, Peer: s.Peers[0], Answer: *s.Peers[0].Quorum}
	k.Peer.RecordAge, k.Peer.EvidenceAge, k.Peer.Quorum, k.Answer.AnswerAge = nil, 0, nil, nil
	k.Answer.Resolvers = nil // how each resolver does is told, and nothing goes by it
	return k
}

func exchangeDNS(t *testing.T, network, address string, m *dns.Msg) *dns.Msg {
	t.Helper()
	c := dns.Client{Net: network, Timeout: 10 * time.Second}
	reply, _, err := c.Exchange(m, address)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}
