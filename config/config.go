// Package config reads failoverd's configuration: one strict YAML file.
//
// It guarantees that a Config which Parse or Load returns is complete (every
// default is filled in) and passed every rule of Validate, so that whoever
// uses it checks nothing again. What is wrong is reported all at once, in the
// order of the file, each with file, line, column and the source line, and
// with what was expected there. A key that it does not know is refused, never
// ignored: a daemon that overlooks a safety setting is worse than one that does
// not start.
//
// Secrets are named in the file by path only. Parse never opens them, so that
// a configuration can be checked where the secrets are not; LoadSecrets reads
// them. Whether a witness answers, or a port is free, is left to others.
package config

import "github.com/openova-io/failoverd/lease"

// A Config is one region's configuration. The yaml tags are the keys of the
// file; marshalling a Config prints the effective configuration, defaults
// included, in a form that Parse reads back.
type Config struct {
	Group   string         `yaml:"group" json:"group"`     // the failover group: which lease
	Region  lease.Region   `yaml:"region" json:"region"`   // this cluster
	Members []lease.Region `yaml:"members" json:"members"` // all regions, in order of preference, the same everywhere
	Mode    lease.Mode     `yaml:"mode" json:"mode"`       // what the region decides by itself

	ApprovalTimeout Duration `yaml:"approval_timeout" json:"approval_timeout"` // an operator's word is good for so long

	Lease     Lease          `yaml:"lease" json:"lease"`
	Witness   Witness        `yaml:"witness,omitempty" json:"witness,omitzero"`
	Witnesses []NamedWitness `yaml:"witnesses,omitempty" json:"witnesses,omitempty"` // instead of Witness, where there are several
	Quorum    *Quorum        `yaml:"quorum,omitempty" json:"quorum,omitempty"`       // nil: there is none
	Identity  Identity       `yaml:"identity" json:"identity"`

	Kubernetes Kubernetes `yaml:"kubernetes" json:"kubernetes"`
	Instances  *Instances `yaml:"instances,omitempty" json:"instances,omitempty"` // nil: the region has one
	Watchdog   *Watchdog  `yaml:"watchdog,omitempty" json:"watchdog,omitempty"`   // nil: none resets the machine

	Layers Layers  `yaml:"layers" json:"layers"`
	Health *Health `yaml:"health,omitempty" json:"health,omitempty"` // nil: nobody looks, and the region is never degraded
	GPU    *GPU    `yaml:"gpu,omitempty" json:"gpu,omitempty"`       // nil: nobody watches them

	Notifications *Notifications `yaml:"notifications,omitempty" json:"notifications,omitempty"` // nil: nobody is told

	API      API    `yaml:"api" json:"api"`
	StateDir string `yaml:"state_dir" json:"state_dir"` // where authority and epochs are kept
	Log      Log    `yaml:"log" json:"log"`

	// doc is the file that the Config was read from, nil for one that was
	// made by a program. It lets a later problem name its line.
	doc *document
}

// Lease holds the times of the protocol; lease.Params says what each is.
type Lease struct {
	TTL            Duration `yaml:"ttl" json:"ttl"`
	RenewInterval  Duration `yaml:"renew_interval" json:"renew_interval"`
	RetryInterval  Duration `yaml:"retry_interval" json:"retry_interval"`
	PollInterval   Duration `yaml:"poll_interval" json:"poll_interval"`
	RequestTimeout Duration `yaml:"request_timeout" json:"request_timeout"`
	FenceTimeout   Duration `yaml:"fence_timeout" json:"fence_timeout"`
	MaxClockDrift  Percent  `yaml:"max_clock_drift" json:"max_clock_drift"`
}

// Witness says which store holds the flags, and how stale it may be. Exactly
// the section that belongs to Type is set.
type Witness struct {
	Type      string   `yaml:"type" json:"type"`
	Staleness Duration `yaml:"staleness" json:"staleness"` // Δ of the protocol
	Prefix    string   `yaml:"prefix" json:"prefix"`       // keys are <prefix>/<group>/flag/<region>, with a name behind the group where there are several

	CloudflareKV  *CloudflareKV      `yaml:"cloudflare_kv,omitempty" json:"cloudflare_kv,omitempty"`
	DurableObject *DurableObject     `yaml:"durable_object,omitempty" json:"durable_object,omitempty"`
	S3            *S3                `yaml:"s3,omitempty" json:"s3,omitempty"`
	Etcd          *Etcd              `yaml:"etcd,omitempty" json:"etcd,omitempty"`
	Kubernetes    *KubernetesWitness `yaml:"kubernetes,omitempty" json:"kubernetes,omitempty"`
	File          *FileWitness       `yaml:"file,omitempty" json:"file,omitempty"`
}

// NamedWitness is one of several.
type NamedWitness struct {
	Name    string `yaml:"name" json:"name"` // the same in every region
	Witness `yaml:",inline"`
}

// Identity is what records are signed and checked with.
type Identity struct {
	PrivateKeyFile string                  `yaml:"private_key_file" json:"private_key_file"` // PKCS#8 PEM, Ed25519
	PublicKeys     map[lease.Region]string `yaml:"public_keys" json:"public_keys"`           // standard base64 of 32 bytes, one for each member
}

// Layers are what the daemon makes active and fences.
type Layers struct {
	HTTPRoute *HTTPRoute `yaml:"httproute,omitempty" json:"httproute,omitempty"` // nil: no layer, as of the others
	Cilium    *Cilium    `yaml:"cilium,omitempty" json:"cilium,omitempty"`
	CNPG      *CNPG      `yaml:"cnpg,omitempty" json:"cnpg,omitempty"`
	Strimzi   *Objects   `yaml:"strimzi,omitempty" json:"strimzi,omitempty"`
	Hooks     []Hook     `yaml:"hooks" json:"hooks"`
}

// A Hook is a layer that the user's own programs apply. Each command is an
// argument vector, run without a shell, whose first element is an absolute
// path.
type Hook struct {
	Name     string   `yaml:"name" json:"name"`
	Activate []string `yaml:"activate" json:"activate"`                   // exit 0: done; run again until it is
	Fence    []string `yaml:"fence" json:"fence"`                         // likewise
	Observe  []string `yaml:"observe,omitempty" json:"observe,omitempty"` // optional; prints active or inactive
}

// API is where the daemon is asked and told: the read-only HTTP server, and the
// socket that takes commands.
type API struct {
	Listen string `yaml:"listen" json:"listen"` // host:port
	Socket string `yaml:"socket" json:"socket"` // path of the unix socket
	Group  string `yaml:"group" json:"group"`   // whose members may command; empty: none
}

// Log says what is logged, and how.
type Log struct {
	Level  string `yaml:"level" json:"level"`   // one of LogLevels
	Format string `yaml:"format" json:"format"` // text or json
}

// LogLevels are the values of log.level, from the most to the least talkative.
// They are names that hclog.LevelFromString knows.
var LogLevels = []string{"trace", "debug", "info", "warn", "error"}

// LogFormats are the values of log.format.
var LogFormats = []string{"text", "json"}
