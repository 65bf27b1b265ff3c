package witness

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openova-io/failoverd/lease"
)

// formatVersion is the version of a record's format. A record of another one
// is malformed to this code; fields may be added without raising it.
const formatVersion = 1

// signDomain keeps a signature of a record from ever being taken for one of
// anything else that is signed with the same key (questions and answers of the
// quorum, the journal), and the other way round.
const signDomain = "failoverd witness record\x00"

// envelope is a record as it is stored. The signature is over the bytes of
// Body as they stand, so that nobody has to agree on a canonical form of JSON,
// and fields that a reader does not know are covered too.
type envelope struct {
	Body      json.RawMessage `json:"body"`
	Signature []byte          `json:"signature"` // Ed25519 of signDomain and Body, base64
}

// body is what the region says. It names the register that it is for, so that
// a record that is copied to another one is not believed there.
type body struct {
	Version int          `json:"version"`
	Group   string       `json:"group"`
	Kind    Kind         `json:"kind"`
	Region  lease.Region `json:"region"`
	Flag    *lease.Flag  `json:"flag,omitempty"`
	Info    *lease.Info  `json:"info,omitempty"`
	Note    *Notes       `json:"note,omitempty"`

	Stamp json.RawMessage `json:"stamp,omitempty"` // taken apart on its own, so that one that makes no sense does not spoil the flag
}

// Encode returns the stored form of r, signed with its region's key. It fails,
// with class Invalid, on a record of over MaxRecord bytes and on one that
// Decode would not believe.
func Encode(r Record, key ed25519.PrivateKey) ([]byte, error) {
	b := body{Version: formatVersion, Group: r.Group, Kind: r.Kind, Region: r.Region}
	switch r.Kind {
	case KindFlag:
		b.Flag = &r.Flag
		if r.Stamp != nil {
			b.Stamp, _ = json.Marshal(r.Stamp) // of numbers alone
		}
	case KindInfo:
		b.Info = &r.Info
	case KindNote:
		b.Note = &r.Note
	}
	value, err := b.encode(r.Register, key)
	if err != nil {
		return nil, &Error{Class: Invalid, Op: "encode", Key: r.name(), Err: err}
	}
	return value, nil
}

func (b *body) encode(reg Register, key ed25519.PrivateKey) ([]byte, error) {
	if err := b.check(reg); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(envelope{Body: raw, Signature: ed25519.Sign(key, signed(raw))})
	if err == nil && len(value) > MaxRecord {
		err = fmt.Errorf("record has %d bytes, want at most %d", len(value), MaxRecord)
	}
	return value, err
}

// Decode returns the record that value holds, if it was signed with the key of
// the register's region, for this register. Otherwise the error is an *Error
// of class Malformed that says what is wrong with it; no value makes it panic.
func Decode(value []byte, reg Register, key ed25519.PublicKey) (Record, error) {
	r, err := decode(value, reg, key)
	if err != nil {
		return Record{}, &Error{
			Class: Malformed, Op: "decode", Key: reg.name(), Err: err,
			Remedy: fmt.Sprintf("find out who wrote it: only the agents of region %s, with its private key, may", reg.Region),
		}
	}
	return r, nil
}

func decode(value []byte, reg Register, key ed25519.PublicKey) (Record, error) {
	if len(value) > MaxRecord {
		return Record{}, fmt.Errorf("record has more than %d bytes", MaxRecord)
	}
	var e envelope
	if err := json.Unmarshal(value, &e); err != nil {
		return Record{}, fmt.Errorf("parse record: %w", err)
	}
	if len(e.Body) == 0 || len(e.Signature) == 0 {
		return Record{}, errors.New("record is not signed")
	}
	if len(key) != ed25519.PublicKeySize {
		return Record{}, fmt.Errorf("no public key of region %s to verify it with", reg.Region)
	}
	if !ed25519.Verify(key, signed(e.Body), e.Signature) {
		return Record{}, fmt.Errorf("signature is not by the key of region %s", reg.Region)
	}
	var b body
	if err := json.Unmarshal(e.Body, &b); err != nil {
		return Record{}, fmt.Errorf("parse signed body: %w", err)
	}
	if err := b.check(reg); err != nil {
		return Record{}, err
	}
	r := Record{Register: reg}
	if b.Flag != nil {
		r.Flag, r.Stamp = *b.Flag, parseStamp(b.Stamp)
	}
	if b.Info != nil {
		r.Info = *b.Info
	}
	if b.Note != nil {
		r.Note = *b.Note
	}
	return r, nil
}

// check says what keeps b from being a record of reg.
func (b *body) check(reg Register) error {
	switch {
	case b.Version != formatVersion:
		return fmt.Errorf("record has format version %d, want %d", b.Version, formatVersion)
	case b.Group != reg.Group:
		return fmt.Errorf("record is of group %q, want %q", b.Group, reg.Group)
	case b.Kind != reg.Kind:
		return fmt.Errorf("record is of kind %q, want %q", b.Kind, reg.Kind)
	case b.Region != reg.Region:
		return fmt.Errorf("record is of region %q, want %q", b.Region, reg.Region)
	}
	switch b.Kind {
	case KindFlag:
		switch {
		case b.Flag == nil || b.Info != nil || b.Note != nil:
			return errors.New("record of kind flag does not hold just a flag")
		case b.Flag.State != lease.FlagCandidate && b.Flag.State != lease.FlagActive:
			return fmt.Errorf("flag has state %q, want candidate or active", b.Flag.State)
		case b.Flag.WriteID == lease.WriteID{}:
			return errors.New("flag has no write id")
		}
	case KindInfo:
		if b.Info == nil || b.Flag != nil || b.Note != nil {
			return errors.New("record of kind info does not hold just an info")
		}
	case KindNote:
		if b.Note == nil || b.Flag != nil || b.Info != nil {
			return errors.New("record of kind note does not hold just notes")
		}
	default:
		return fmt.Errorf("record is of unknown kind %q", b.Kind)
	}
	return nil
}

// name is the register's name in messages.
func (r Register) name() string { return r.Group + "/" + string(r.Kind) + "/" + string(r.Region) }

func signed(body []byte) []byte { return append([]byte(signDomain), body...) }

// digest stands in for the write id of a record that can't be believed: other
// bytes are news of its region, the same bytes are none (§1).
func digest(value []byte) lease.WriteID {
	sum := sha256.Sum256(value)
	return lease.WriteID(sum[:len(lease.WriteID{})])
}
