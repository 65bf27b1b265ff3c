// Package dnsload measures how the responder does under load: beside an authoritative server that others rely on, and as
// part of a daemon whose lease has to go on meanwhile. The load is Debian's dnsperf; it comes from e2e/setup.sh.
package dnsload

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// The region whose server is measured.
const (
	Zone   = "failover.example.com"
	Group  = "e2e"
	Region = lease.Region("hel")
	// Name is the name of the region's zone.
	Name = string(Region) + "." + Zone
)

// Askers are the members that ask it: 256 questions of each count at once.
func Askers() []lease.Region {
	var askers []lease.Region
	for i := range 64 {
		askers = append(askers, lease.Region(fmt.Sprintf("m%02d", i)))
	}
	return askers
}

// Key is the key of a member, or of anyone: the same one each time.
func Key(m lease.Region) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, m)
	return ed25519.NewKeyFromSeed(seed)
}

// questions are n queries for questions to a region, no two of them the same, in the name of askers in turn. All are
// signed by forger; each by its own asker if there is none.
func questions(n int, to lease.Region, askers []lease.Region, forger lease.Region) ([]string, error) {
	queries := make([]string, n)
	for i := range queries {
		q := quorum.Question{
			Question: lease.Question{Verb: lease.VerbPledge, Epoch: 7, Safety: "0011223344556677"},
			Group:    Group, Asker: askers[i%len(askers)], To: to, Sent: time.Now(),
		}
		binary.BigEndian.PutUint32(q.Nonce[:], uint32(i))
		signer := q.Asker
		if forger != "" {
			signer = forger
		}
		name, err := q.Name(Zone, Key(signer))
		if err != nil {
			return nil, err
		}
		queries[i] = name + " TXT"
	}
	return queries, nil
}
