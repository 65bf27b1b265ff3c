package config

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Default returns the configuration that a file adds to, for a type of witness
// (WitnessFile, for one): every default, and no required key.
// Two defaults depend on the witness: its staleness bound, and how often a
// standby reads it.
func Default(witness string) *Config {
	c := &Config{
		Mode: lease.ModeAutomatic, ApprovalTimeout: Duration(15 * time.Minute),
		Lease: Lease{
			TTL:            Duration(30 * time.Second),
			RenewInterval:  Duration(10 * time.Second),
			RetryInterval:  Duration(2 * time.Second),
			PollInterval:   Duration(time.Second),
			RequestTimeout: Duration(5 * time.Second),
			FenceTimeout:   Duration(10 * time.Second),
			MaxClockDrift:  0.002,
		},
		Witness:  Witness{Type: witness, Prefix: "failoverd"},
		API:      API{Listen: "127.0.0.1:9713", Socket: "/run/failoverd/failoverd.sock"},
		StateDir: "/var/lib/failoverd",
		Log:      Log{Level: "info", Format: "text"},
	}
	if witness == WitnessCloudflareKV {
		c.Lease.PollInterval = Duration(2 * time.Second) // the API's request budget, see RequestsPer5m
		c.Witness.Staleness = Duration(kvStaleness)
	}
	return c
}
