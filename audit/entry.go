package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// A Kind says what an entry is about, and so what its body is.
type Kind string

const (
	KindFile    Kind = "file"    // a File: the first entry of each
	KindRun     Kind = "run"     // a Run: an agent begins
	KindStep    Kind = "step"    // a Step of its lease
	KindLayer   Kind = "layer"   // a Layer: an attempt to bring one about
	KindCommand Kind = "command" // a Command of a person
	KindDrill   Kind = "drill"   // a Drill that has ended
	KindGap     Kind = "gap"     // a Gap: entries before it are missing
)

// An Entry is one line of the journal, without its hash.
type Entry struct {
	Seq  uint64          `json:"seq"`  // grows by one from entry to entry
	Time time.Time       `json:"time"` // wall clock: for people, never for a decision
	Kind Kind            `json:"kind"`
	Body json.RawMessage `json:"body"`
}

// File says what a file goes on from, so that it can be checked alone.
type File struct {
	After     Hash         `json:"after"` // of the entry before; empty at the very first, and behind damage
	Group     string       `json:"group"`
	Region    lease.Region `json:"region"`
	PublicKey string       `json:"public_key,omitempty"` // base64; none if the region has no key
	Cut       int64        `json:"cut,omitempty"`        // bytes of an entry that a crash had torn, at the end of the file before
	Damaged   string       `json:"damaged,omitempty"`    // the file before, which could not be gone on from, as it is called now
}

// Run is what an agent begins with: all that Step depends on beside its events.
type Run struct {
	Version string       `json:"version"`
	Params  lease.Params `json:"params"`
}

// Layer is an attempt to make a layer active, or to fence it.
type Layer struct {
	Layer   string        `json:"layer"`
	Action  string        `json:"action"`
	Epoch   uint64        `json:"epoch"`
	Outcome string        `json:"outcome"`
	Error   string        `json:"error,omitempty"`
	Took    time.Duration `json:"took"` // nanoseconds

	Data []layers.Position `json:"data,omitempty"` // how far its data had come, where it succeeded
}

// Command is what a person asked the agent to do. It is written before that is done.
type Command struct {
	Verb    string            `json:"verb"`
	Region  lease.Region      `json:"region,omitempty"`  // that it is about
	Request lease.RequestKind `json:"request,omitempty"` // that is approved or denied
	Loan    bool              `json:"loan,omitempty"`    // of a hand-over: it is wanted back
	For     time.Duration     `json:"for,omitempty"`     // nanoseconds: of a pause
	User    string            `json:"user"`              // as the kernel told
	Reason  string            `json:"reason,omitempty"`
}

// Gap says that entries could not be written, for want of room on the disk or because that hung.
type Gap struct {
	Lost uint64 `json:"lost"`
}

// A Hash is that of an entry and, by the one before it, of everything before it.
type Hash []byte

// MarshalText encodes it as hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText decodes what MarshalText returned.
func (h *Hash) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != 0 && len(b) != sha256.Size {
		return fmt.Errorf("hash %q: want %d hexadecimal digits", text, 2*sha256.Size)
	}
	*h = b
	return nil
}

// hashAfter is the hash of an entry, whose bytes are raw, behind another.
func hashAfter(before Hash, raw []byte) Hash {
	h := sha256.New()
	h.Write(before)
	h.Write(raw)
	return h.Sum(nil)
}

// line is what stands in the file.
type line struct {
	Entry     json.RawMessage `json:"entry"`
	Hash      Hash            `json:"hash"`
	Signature string          `json:"signature,omitempty"` // of the hash, base64
}

// encode makes a line of an entry behind the one with the hash before. Without a key it is not
// signed.
func encode(e Entry, before Hash, key ed25519.PrivateKey) ([]byte, Hash, error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the entry: %w", err)
	}
	l := line{Entry: raw, Hash: hashAfter(before, raw)}
	if key != nil {
		l.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, l.Hash))
	}
	b, err := json.Marshal(l)
	if err != nil {
		return nil, nil, fmt.Errorf("encode the entry: %w", err)
	}
	return append(b, '\n'), l.Hash, nil
}

// Errors of decode.
var (
	errForm      = errors.New("it is no entry")
	errHash      = errors.New("its hash is not that of what is there: it, or an entry before it, was changed or left out")
	errSignature = errors.New("its signature is not the region's")
)

// decode reads a line, without its newline, behind the entry with the hash before. Without a key the
// signature is not looked at. A file's first entry says itself what it comes after.
func decode(b []byte, before Hash, key ed25519.PublicKey) (Entry, Hash, error) {
	var l line
	var e Entry
	if err := strict(b, &l); err != nil {
		return Entry{}, nil, fmt.Errorf("%w: %w", errForm, err)
	}
	if err := strict(l.Entry, &e); err != nil {
		return Entry{}, nil, fmt.Errorf("%w: %w", errForm, err)
	}
	if !bytes.Equal(hashAfter(before, l.Entry), l.Hash) {
		return Entry{}, nil, errHash
	}
	if key != nil {
		signature, err := base64.StdEncoding.DecodeString(l.Signature)
		if err != nil || !ed25519.Verify(key, l.Hash, signature) {
			return Entry{}, nil, errSignature
		}
	}
	return e, l.Hash, nil
}

// strict decodes one JSON value that has no unknown fields, and nothing behind it.
func strict(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF { // More says no to a brace
		return errors.New("there is something behind it")
	}
	return nil
}
