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

// askers is how many members ask: each counts for 256 questions at once.
const askers = 64

// Members are those who may ask.
func Members() []lease.Region {
	members := []lease.Region{Region}
	for i := range askers {
		members = append(members, lease.Region(fmt.Sprintf("m%02d", i)))
	}
	return members
}

// Key is the key of a member, or of anyone: the same one each time.
func Key(m lease.Region) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, m)
	return ed25519.NewKeyFromSeed(seed)
}

// questions are n queries for questions to the region, no two of them the same, in the name of its members in turn. All
// are signed by forger; each by its own asker if there is none.
func questions(n int, forger lease.Region) ([]string, error) {
	queries := make([]string, n)
	for i := range queries {
		q := quorum.Question{
			Question: lease.Question{Verb: lease.VerbPledge, Epoch: 7, Safety: "0011223344556677"},
			Group:    Group, Asker: Members()[1+i%askers], To: Region, Sent: time.Now(),
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
