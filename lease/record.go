package lease

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// A WriteID names one attempt to write a flag, a retry too, and no other
// attempt ever (§1). The first half tells incarnations of an agent apart, the
// second counts the attempts of one.
type WriteID [16]byte

// NewWriteID is the identity of the seq-th attempt of an incarnation.
func NewWriteID(incarnation, seq uint64) WriteID {
	var id WriteID
	binary.BigEndian.PutUint64(id[:8], incarnation)
	binary.BigEndian.PutUint64(id[8:], seq)
	return id
}

// Incarnation is the run of an agent that made the attempt.
func (id WriteID) Incarnation() uint64 { return binary.BigEndian.Uint64(id[:8]) }

// Seq counts the attempts of an incarnation, from 1.
func (id WriteID) Seq() uint64 { return binary.BigEndian.Uint64(id[8:]) }

// String is the identity as 32 hexadecimal digits.
func (id WriteID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText encodes the identity as 32 hexadecimal digits.
func (id WriteID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText decodes what MarshalText returned.
func (id *WriteID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(id) {
		return fmt.Errorf("write id %q: want %d hexadecimal digits", text, 2*len(id))
	}
	copy(id[:], b)
	return nil
}

// A FlagState is what a region says of itself by its flag. There is no third
// state: a region that withdraws falls silent (§3, yield).
type FlagState string

const (
	FlagCandidate FlagState = "candidate"
	FlagActive    FlagState = "active"
)

// A Flag is the content of a region's flag register: a raised flag (§1).
type Flag struct {
	State   FlagState `json:"state"`
	Epoch   uint64    `json:"epoch"`
	WriteID WriteID   `json:"write_id"`
	Term    uint64    `json:"term,omitempty"` // of the instance that wrote it (§5)
}

// An Info is what a region tells the others of itself beside its flag (§3,
// first start).
type Info struct {
	Safety  map[string]string `json:"safety"`  // Params.Safety
	Version string            `json:"version"` // of failoverd

	Degraded []string `json:"degraded,omitempty"` // why another region should be active rather than this one; none if it is well
	Behind   []string `json:"behind,omitempty"`   // what of its data is too far behind to be promoted now
	Mode     Mode     `json:"mode,omitempty"`     // what it decides by itself
	Paused   bool     `json:"paused,omitempty"`   // an operator has it decide nothing by itself
}

// A ReadOutcome says what became of reading one register.
type ReadOutcome uint8

const (
	ReadUnknown   ReadOutcome = iota // an error or a time-out: nothing is known
	ReadMissing                      // the witness says that there is no such record
	ReadFound                        // a valid, signed record
	ReadMalformed                    // there is a record; it can't be parsed or believed
)

// A FlagRead is the outcome of reading one region's flag. Of a malformed
// record only Flag.WriteID is set, to a digest of its bytes: it shows that its
// region lives and nothing else (§1).
type FlagRead struct {
	Outcome ReadOutcome
	Flag    Flag
}

// An InfoRead is the outcome of reading one region's info record.
type InfoRead struct {
	Outcome ReadOutcome
	Info    Info
}
