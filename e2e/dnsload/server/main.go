// Command server is the responder of a region as the daemon has it, but for the limit of the rate, over a region that
// answers at once. It serves at its argument, and prints a line when it does.
package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/openova-io/failoverd/e2e/dnsload"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/responder"
)

func main() {
	if err := serve(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address string) error {
	keys := map[lease.Region]ed25519.PublicKey{}
	for _, m := range append(dnsload.Askers(), dnsload.Region) {
		keys[m] = dnsload.Key(m).Public().(ed25519.PublicKey)
	}
	r, err := responder.New(responder.Config{
		Zone: dnsload.Zone, Group: dnsload.Group, Region: dnsload.Region, Keys: keys, PrivateKey: dnsload.Key(dnsload.Region),
		Window: time.Hour, Rate: 1 << 30, Now: time.Now,
		Answer: func(_ context.Context, q quorum.Question) (quorum.Answer, error) {
			return quorum.Answer{Answer: lease.Answer{State: lease.Standby, Epoch: q.Epoch, Granted: true, Safety: q.Safety}}, nil
		},
	})
	if err != nil {
		return err
	}
	udp, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("serving")
	return r.Serve(context.Background(), udp, tcp)
}
