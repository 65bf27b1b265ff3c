package quorum

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/openova-io/failoverd/lease"
)

// An Answer is what a region says to a question. Its JSON is signed.
type Answer struct {
	lease.Answer
	Nonce Nonce        `json:"n"`
	Verb  lease.Verb   `json:"v"`
	Group string       `json:"g"`
	By    lease.Region `json:"by"`
	To    lease.Region `json:"to"` // the asker
}

const (
	// maxAnswer is the size of the largest answer, in octets: with its question it fits into the
	// 1,232 octets of a DNS datagram that no network splits.
	maxAnswer    = 700
	maxText      = 255 // of one string of a TXT record (RFC 1035 §3.3)
	answerDomain = "failoverd quorum answer\x00"
)

// Text returns the answer as the strings of a TXT record, signed with the key of the region that
// gives it.
func (a Answer) Text(key ed25519.PrivateKey) ([]string, error) {
	body, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	signature := ed25519.Sign(key, append([]byte(answerDomain), body...))
	text := base64.RawURLEncoding.EncodeToString(append(signature, body...))
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("the answer has %d octets, want at most %d", len(text), maxAnswer)
	}
	var out []string
	for len(text) > maxText {
		out, text = append(out, text[:maxText]), text[maxText:]
	}
	return append(out, text), nil
}

// Why a text is no answer to a question.
var (
	// ErrUnsigned: it is nothing that a region could have signed.
	ErrUnsigned = errors.New("unsigned answer")
	// ErrForged: it is not signed by the region that was asked.
	ErrForged = errors.New("answer with a wrong signature")
	// ErrReplayed: it is signed, and answers another question.
	ErrReplayed = errors.New("answer to another question")
)

// ParseText returns the answer to q that the strings of a TXT record are, if the region that was
// asked signed them with key, for this question.
func ParseText(text []string, q Question, key ed25519.PublicKey) (Answer, error) {
	size := 0
	var joined []byte
	for _, s := range text {
		if size += len(s); size > maxAnswer {
			return Answer{}, ErrUnsigned
		}
		joined = append(joined, s...)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(joined))
	if err != nil || len(raw) <= ed25519.SignatureSize || bytes.ContainsAny(joined, "\r\n") { // which the decoder skips
		return Answer{}, ErrUnsigned
	}
	signature, body := raw[:ed25519.SignatureSize], raw[ed25519.SignatureSize:]
	if !ed25519.Verify(key, append([]byte(answerDomain), body...), signature) {
		return Answer{}, ErrForged
	}
	var a Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return Answer{}, ErrForged // a region signs nothing that it can't read
	}
	if a.Nonce != q.Nonce || a.Verb != q.Verb || a.Group != q.Group || a.By != q.To || a.To != q.Asker {
		return Answer{}, ErrReplayed
	}
	return a, nil
}
