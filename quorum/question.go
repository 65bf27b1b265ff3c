package quorum

import (
	"crypto/ed25519"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// NonceSize is the number of random bytes of a question: no resolver has a name in its
// cache that nobody has asked for.
const NonceSize = 12

// A Nonce tells a question from all others.
type Nonce [NonceSize]byte

// MarshalText returns the nonce in base32.
func (n Nonce) MarshalText() ([]byte, error) { return []byte(labels.EncodeToString(n[:])), nil }

// UnmarshalText reads what MarshalText returns.
func (n *Nonce) UnmarshalText(text []byte) error {
	b, ok := decode(string(text), NonceSize)
	if !ok {
		return fmt.Errorf("%q is no nonce", text)
	}
	copy(n[:], b)
	return nil
}

// A Question is what one region asks another.
type Question struct {
	lease.Question
	Group string
	Asker lease.Region
	To    lease.Region // the region that is asked
	Nonce Nonce        // random
	Sent  time.Time    // wall clock, to the millisecond
}

// A name is SIGNATURE.SIGNATURE.PAYLOAD.ASKER.VERB.GROUP.TO.ZONE, where the payload is
// version, nonce, time of sending, epoch, flags, digest of the safety parameters and term. That
// fills a label: there is no room for more.
const (
	maxName     = 253 // of a DNS name without the final dot (RFC 1035 §3.1)
	maxLabel    = 63
	ownLabels   = 7 // before the zone
	version     = 2
	payloadSize = 1 + NonceSize + 6 + 8 + 1 + safetySize + termSize
	safetySize  = 8 // of lease.SafetyHash, which is hexadecimal
	termSize    = 3

	flagAuthority, flagHandOver, flagOrdered, flagLoan = 1, 2, 4, 8
	// questionDomain keeps the signature of a question from being of use for anything else.
	questionDomain = "failoverd quorum question\x00"
)

var labels = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NameLength is the length of the longest name that a group's questions have: it must not be
// over 253.
func NameLength(group string, members []lease.Region, zone string) int {
	longest := 0
	for _, m := range members {
		longest = max(longest, len(m))
	}
	parts := []int{labels.EncodedLen(ed25519.SignatureSize) + 1, labels.EncodedLen(payloadSize), longest, len(lease.VerbStatus), len(group), longest, len(zone)}
	total := len(parts) - 1
	for _, n := range parts {
		total += n
	}
	return total
}

// CheckNames says, in one sentence, why questions of a group can't be asked below a zone; nil if
// they can.
func CheckNames(group string, members []lease.Region, zone string) error {
	if n := NameLength(group, members, zone); n > maxName {
		return fmt.Errorf("the names of questions are up to %d characters long, and DNS takes %d: choose a zone, or names of group and regions, that are %d shorter in all", n, maxName, n-maxName)
	}
	return nil
}

// Name returns the question as a DNS name below zone, without the final dot, signed with the
// asker's key. It fails if the name would be too long, or a part of it is no DNS label.
func (q Question) Name(zone string, key ed25519.PrivateKey) (string, error) {
	payload := make([]byte, 0, payloadSize)
	payload = append(payload, version)
	payload = append(payload, q.Nonce[:]...)
	millis := binary.BigEndian.AppendUint64(nil, uint64(q.Sent.UnixMilli()))
	if millis[0] != 0 || millis[1] != 0 {
		return "", fmt.Errorf("a question can't be sent at %v", q.Sent)
	}
	payload = append(payload, millis[2:]...)
	payload = binary.BigEndian.AppendUint64(payload, q.Epoch)
	var flags byte
	if q.Authority {
		flags |= flagAuthority
	}
	if q.HandOver {
		flags |= flagHandOver
	}
	if q.Ordered {
		flags |= flagOrdered
	}
	if q.Loan {
		flags |= flagLoan
	}
	safety, err := hex.DecodeString(q.Safety)
	if err != nil || len(safety) != safetySize {
		return "", fmt.Errorf("%q is no digest of safety parameters", q.Safety)
	}
	payload = append(append(payload, flags), safety...)
	if q.Term >= 1<<(8*termSize) {
		return "", fmt.Errorf("term %d is higher than any that can be asked under", q.Term)
	}
	payload = append(payload, binary.BigEndian.AppendUint64(nil, q.Term)[8-termSize:]...)
	for _, label := range []string{string(q.Asker), string(q.Verb), q.Group, string(q.To)} {
		if !isLabel(label) {
			return "", fmt.Errorf("%q is no DNS label in lower case", label)
		}
	}
	signed := strings.Join([]string{labels.EncodeToString(payload), string(q.Asker), string(q.Verb), q.Group, string(q.To), zone}, ".")
	signature := labels.EncodeToString(ed25519.Sign(key, []byte(questionDomain+signed)))
	name := signature[:maxLabel] + "." + signature[maxLabel:] + "." + signed
	if len(name) > maxName {
		return "", fmt.Errorf("the name of the question is %d characters long, and DNS takes %d", len(name), maxName)
	}
	return name, nil
}

// Why a name is no question.
var (
	// ErrNotBelow: it is not below the zone, or has another number of labels than a question.
	ErrNotBelow = errors.New("not a question of this zone")
	// ErrMalformed: it has the labels of a question, and they make no sense.
	ErrMalformed = errors.New("malformed question")
	// ErrUnknownAsker: it is by a region that is no member.
	ErrUnknownAsker = errors.New("question by no member")
	// ErrSignature: it is not signed by its asker.
	ErrSignature = errors.New("question with a wrong signature")
)

// ParseName returns the question that a DNS name is, in any case of letters, with or without the
// final dot, if it is below zone and was signed by the region that it says it is by.
func ParseName(name, zone string, keys map[lease.Region]ed25519.PublicKey) (Question, error) {
	name = lower(strings.TrimSuffix(name, "."))
	own, ok := strings.CutSuffix(name, "."+zone)
	if !ok || len(name) > maxName {
		return Question{}, ErrNotBelow
	}
	parts := strings.Split(own, ".")
	if len(parts) != ownLabels {
		return Question{}, ErrNotBelow
	}
	q := Question{Asker: lease.Region(parts[3]), Group: parts[5], To: lease.Region(parts[6])}
	q.Verb = lease.Verb(parts[4])
	if q.Verb != lease.VerbStatus && q.Verb != lease.VerbPledge {
		return Question{}, ErrMalformed
	}
	for _, label := range parts[3:] {
		if !isLabel(label) {
			return Question{}, ErrMalformed
		}
	}
	if len(parts[0]) != maxLabel {
		return Question{}, ErrMalformed
	}
	signature, ok := decode(parts[0]+parts[1], ed25519.SignatureSize)
	payload, ok2 := decode(parts[2], payloadSize)
	if !ok || !ok2 || payload[0] != version || payload[1+NonceSize+6+8] > flagAuthority|flagHandOver|flagOrdered|flagLoan {
		return Question{}, ErrMalformed
	}
	key, ok := keys[q.Asker]
	if !ok {
		return Question{}, ErrUnknownAsker
	}
	signed := name[len(parts[0])+1+len(parts[1])+1:]
	if !ed25519.Verify(key, []byte(questionDomain+signed), signature) {
		return Question{}, ErrSignature
	}
	copy(q.Nonce[:], payload[1:])
	millis := append(make([]byte, 2), payload[1+NonceSize:1+NonceSize+6]...)
	q.Sent = time.UnixMilli(int64(binary.BigEndian.Uint64(millis)))
	rest := payload[1+NonceSize+6:]
	q.Epoch = binary.BigEndian.Uint64(rest)
	q.Authority, q.HandOver, q.Ordered = rest[8]&flagAuthority != 0, rest[8]&flagHandOver != 0, rest[8]&flagOrdered != 0
	q.Loan = rest[8]&flagLoan != 0
	q.Safety = hex.EncodeToString(rest[9 : 9+safetySize])
	q.Term = binary.BigEndian.Uint64(append(make([]byte, 8-termSize), rest[9+safetySize:]...))
	return q, nil
}

// decode decodes base32 of so many bytes, in the one spelling that encoding them gives: what
// has several would pass a replay window several times.
func decode(text string, size int) ([]byte, bool) {
	b, err := labels.DecodeString(text)
	return b, err == nil && len(b) == size && labels.EncodeToString(b) == text
}

// isLabel reports whether s is a DNS label of letters in lower case, digits and hyphens.
func isLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// lower is s with ASCII letters in lower case: what DNS holds to be the same (RFC 4343).
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
