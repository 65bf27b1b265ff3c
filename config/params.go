package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Params returns the parameters of this region's lease. Its slices and maps
// are copies.
func (c *Config) Params() lease.Params {
	var h Health
	if c.Health != nil {
		h = *c.Health
	}
	var i Instances
	if c.Instances != nil {
		i = *c.Instances
	}
	p := lease.Params{
		TermDuration:    time.Duration(i.TermDuration),
		Mode:            c.Mode,
		ApprovalTimeout: time.Duration(c.ApprovalTimeout),
		MaxHandOvers:    h.MaxHandOvers,
		HandOverWindow:  time.Duration(h.HandOverWindow),
		Group:           c.Group,
		Region:          c.Region,
		Members:         slices.Clone(c.Members),
		TTL:             time.Duration(c.Lease.TTL),
		RenewInterval:   time.Duration(c.Lease.RenewInterval),
		RetryInterval:   time.Duration(c.Lease.RetryInterval),
		PollInterval:    time.Duration(c.Lease.PollInterval),
		RequestTimeout:  time.Duration(c.Lease.RequestTimeout),
		FenceTimeout:    time.Duration(c.Lease.FenceTimeout),
		MaxClockDrift:   float64(c.Lease.MaxClockDrift),
		Quorum:          c.Quorum != nil,
		Keys:            maps.Clone(c.Identity.PublicKeys),
	}
	for i, w := range c.AllWitnesses() {
		if bound := time.Duration(w.Staleness); i == 0 || bound > p.Staleness {
			p.Staleness = bound
		}
		if len(c.Witnesses) > 0 {
			p.Witnesses = append(p.Witnesses, lease.WitnessParams{Name: w.Name, Staleness: time.Duration(w.Staleness)})
		}
	}
	return p
}

// PublicKeys returns the members' public keys, decoded. A key that Validate
// would refuse is left out.
func (c *Config) PublicKeys() map[lease.Region]ed25519.PublicKey {
	keys := map[lease.Region]ed25519.PublicKey{}
	for region, s := range c.Identity.PublicKeys {
		if key, err := decodePublicKey(s); err == nil {
			keys[region] = key
		}
	}
	return keys
}

// decodePublicKey reads the standard base64 of 32 bytes, in its one canonical
// spelling: the spelling is part of the hash that regions compare.
func decodePublicKey(s string) (ed25519.PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(b) != s { // the decoder takes line breaks, and stray bits at the end
		return nil, errors.New("not standard base64")
	}
	if len(b) != ed25519.PublicKeySize {
		return nil, errors.New("not 32 bytes long")
	}
	return b, nil
}
