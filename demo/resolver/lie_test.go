package resolver_test

import (
	"context"
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/demo/resolver"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/client"
	"github.com/openova-io/failoverd/quorum/responder"
)

func identity(r lease.Region) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, r)
	return ed25519.NewKeyFromSeed(seed)
}

// TestLie: between a real responder and a real client, a resolver that lies brings answers that are
// forged and such that were given before, and one that is honest again, true ones.
func TestLie(t *testing.T) {
	keys := map[lease.Region]ed25519.PublicKey{}
	for _, m := range []lease.Region{"fsn", "hel"} {
		keys[m] = identity(m).Public().(ed25519.PublicKey)
	}
	region, err := responder.New(responder.Config{
		Zone: "zone", Group: "demo", Region: "hel", PrivateKey: identity("hel"), Keys: keys,
		Window: responder.DefaultWindow, Rate: responder.DefaultRate, Now: time.Now,
		Answer: func(context.Context, quorum.Question) (quorum.Answer, error) {
			return quorum.Answer{Answer: lease.Answer{State: lease.Standby, Granted: true}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	udp, tcp, err := resolver.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- region.Serve(ctx, udp, tcp) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	var addresses []string
	var resolvers []*resolver.Resolver
	for range 3 {
		r, _ := startResolver(t, "127.0.0.1:1")
		r.Delegate("hel.zone", tcp.Addr().String())
		addresses, resolvers = append(addresses, r.Address()), append(resolvers, r)
	}
	asker := client.New(client.Config{
		Zone: "zone", Resolvers: addresses, Required: 2, Timeout: 10 * time.Second,
		Group: "demo", Region: "fsn", PrivateKey: identity("fsn"), Keys: keys,
	})
	var got []quorum.Outcome
	for _, lies := range []bool{false, true, true, true, false} {
		resolvers[1].Lie(lies)
		whole := make(chan quorum.Verdict, 1)
		v, err := asker.Ask(t.Context(), "hel", lease.Question{Verb: lease.VerbPledge, Epoch: 1, Safety: "0011223344556677"}, func(v quorum.Verdict) { whole <- v })
		if err != nil || !v.Reached || !v.Answer.Granted {
			t.Errorf("got %s, %v; want the pledge all the same", v.Describe(), err)
		}
		all := <-whole
		if all.Ballots[0].Outcome != quorum.Agreed || all.Ballots[2].Outcome != quorum.Agreed {
			t.Errorf("an honest one: %s", all.Describe())
		}
		got = append(got, all.Ballots[1].Outcome)
	}
	want := []quorum.Outcome{quorum.Agreed, quorum.BadSignature, quorum.Replayed, quorum.BadSignature, quorum.Agreed}
	if !slices.Equal(got, want) {
		t.Errorf("the one that lies brought %v, want %v", got, want)
	}
}
