package witness

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/openova-io/failoverd/lease"
)

// A Config says which registers a Witness uses.
type Config struct {
	Prefix     string         // of all keys: witness.prefix
	Group      string         // the failover group
	Name       string         // of one of several witnesses; empty for the only one
	Region     lease.Region   // this one, whose records it writes
	Members    []lease.Region // all regions, in the fixed order
	PrivateKey ed25519.PrivateKey
	PublicKeys map[lease.Region]ed25519.PublicKey // of every member
}

// A Witness reads and writes the records of one group in a Store, for one of
// its regions. It has no state, and its methods may be called from several
// goroutines.
type Witness struct {
	store Store
	cfg   Config
}

// New returns a witness over store. It does no I/O; it fails if cfg does not
// fit together, naming the configuration key to change.
func New(store Store, cfg Config) (*Witness, error) {
	switch {
	case cfg.Prefix == "":
		return nil, errors.New("witness.prefix is empty, want the first part of all keys")
	case cfg.Group == "" || strings.Contains(cfg.Group, "/"):
		return nil, fmt.Errorf("group is %q, want a name without a slash", cfg.Group)
	case strings.Contains(cfg.Name, "/"):
		return nil, fmt.Errorf("the witness's name is %q, want one without a slash", cfg.Name)
	case !slices.Contains(cfg.Members, cfg.Region):
		return nil, fmt.Errorf("region %q is not one of members %v", cfg.Region, cfg.Members)
	case len(cfg.PrivateKey) != ed25519.PrivateKeySize:
		return nil, errors.New("identity.private_key_file holds no Ed25519 private key")
	}
	for _, m := range cfg.Members {
		if len(cfg.PublicKeys[m]) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("identity.public_keys has no Ed25519 public key of region %q", m)
		}
	}
	if !cfg.PublicKeys[cfg.Region].Equal(cfg.PrivateKey.Public()) {
		return nil, fmt.Errorf("identity.private_key_file does not hold the key whose public half identity.public_keys gives for region %q", cfg.Region)
	}
	cfg.Members = slices.Clone(cfg.Members)
	return &Witness{store: store, cfg: cfg}, nil
}

// Key is the store's key of a register. One of several witnesses has its name in there: where that leads, in one region,
// to what is another of them elsewhere, the region finds nobody there and takes by the others only (§1).
func (w *Witness) Key(kind Kind, region lease.Region) string {
	parts := []string{w.cfg.Prefix, w.cfg.Group, w.cfg.Name, string(kind), string(region)}
	if w.cfg.Name == "" {
		parts = slices.Delete(parts, 2, 3)
	}
	return strings.Join(parts, "/")
}

func (w *Witness) register(kind Kind, region lease.Region) Register {
	return Register{Group: w.cfg.Group, Kind: kind, Region: region}
}

// WriteFlag writes this region's flag, in one attempt, with a stamp if that is not nil. A nil error is an
// acknowledgement; any other is "unknown", an *Error.
func (w *Witness) WriteFlag(ctx context.Context, flag lease.Flag, stamp *Stamp) error {
	return w.write(ctx, Record{Register: w.register(KindFlag, w.cfg.Region), Flag: flag, Stamp: stamp})
}

// WriteInfo writes this region's info record, as WriteFlag does a flag.
func (w *Witness) WriteInfo(ctx context.Context, info lease.Info) error {
	return w.write(ctx, Record{Register: w.register(KindInfo, w.cfg.Region), Info: info})
}

// WriteNotes writes what this region's layers tell the others, as WriteFlag does a flag.
func (w *Witness) WriteNotes(ctx context.Context, notes Notes) error {
	return w.write(ctx, Record{Register: w.register(KindNote, w.cfg.Region), Note: notes})
}

// ReadNotes reads what a member's layers tell, with errors as ReadRecord has them.
func (w *Witness) ReadNotes(ctx context.Context, region lease.Region) (Notes, error) {
	r, err := w.ReadRecord(ctx, KindNote, region)
	return r.Note, err
}

func (w *Witness) write(ctx context.Context, r Record) error {
	value, err := Encode(r, w.cfg.PrivateKey)
	if err != nil {
		return err
	}
	return w.store.Put(ctx, w.Key(r.Kind, r.Region), value)
}

// ReadRecord reads one register of a member. The error is ErrNotFound, or an
// *Error: of class Malformed for a record that can't be believed.
func (w *Witness) ReadRecord(ctx context.Context, kind Kind, region lease.Region) (Record, error) {
	value, err := w.store.Get(ctx, w.Key(kind, region))
	if err != nil {
		return Record{}, err
	}
	return Decode(value, w.register(kind, region), w.cfg.PublicKeys[region])
}

// ReadFlag reads a member's flag. The error is nil for a flag that was found
// or is missing; it is the cause where nothing is known, and the defect of a
// malformed record, whose write id is then a digest of its bytes.
func (w *Witness) ReadFlag(ctx context.Context, region lease.Region) (lease.FlagRead, error) {
	read, _, err := w.readFlag(ctx, region)
	return read, err
}

// readFlag is ReadFlag, with the stamp beside a flag that was found.
func (w *Witness) readFlag(ctx context.Context, region lease.Region) (lease.FlagRead, *Stamp, error) {
	value, err := w.store.Get(ctx, w.Key(KindFlag, region))
	if err != nil {
		out, err := notRead(err)
		return lease.FlagRead{Outcome: out}, nil, err
	}
	r, err := Decode(value, w.register(KindFlag, region), w.cfg.PublicKeys[region])
	if err != nil {
		return lease.FlagRead{Outcome: lease.ReadMalformed, Flag: lease.Flag{WriteID: digest(value)}}, nil, err
	}
	return lease.FlagRead{Outcome: lease.ReadFound, Flag: r.Flag}, r.Stamp, nil
}

// ReadInfo reads a member's info record, with errors as ReadFlag has them.
func (w *Witness) ReadInfo(ctx context.Context, region lease.Region) (lease.InfoRead, error) {
	value, err := w.store.Get(ctx, w.Key(KindInfo, region))
	if err != nil {
		out, err := notRead(err)
		return lease.InfoRead{Outcome: out}, err
	}
	r, err := Decode(value, w.register(KindInfo, region), w.cfg.PublicKeys[region])
	if err != nil {
		return lease.InfoRead{Outcome: lease.ReadMalformed}, err
	}
	return lease.InfoRead{Outcome: lease.ReadFound, Info: r.Info}, nil
}

// notRead is the outcome of a read that returned no value. It is never
// malformed: an error of the store is no evidence that a region lives.
func notRead(err error) (lease.ReadOutcome, error) {
	if errors.Is(err, ErrNotFound) {
		return lease.ReadMissing, nil
	}
	return lease.ReadUnknown, err
}
