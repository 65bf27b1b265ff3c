package config

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
)

const pemType = "PRIVATE KEY"

// GenerateKey makes a region's key pair: the private key as the PKCS#8 PEM
// that identity.private_key_file holds (write it with mode 0600), and the
// public key as identity.public_keys wants it.
func GenerateKey() (pemBytes []byte, public string, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, "", fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), PublicKey(key), nil
}

// PublicKey is the public half of a region's key, as identity.public_keys
// wants it: the standard base64 of its 32 bytes.
func PublicKey(key ed25519.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

// ParsePrivateKey reads the PKCS#8 PEM of an Ed25519 key. Its errors hold
// nothing of the key.
func ParsePrivateKey(data []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, errors.New("found no PEM block, expected a PKCS#8 PEM file; make one with failoverd keygen")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("found something behind the PEM block, expected one PKCS#8 PEM block and nothing else")
	}
	switch block.Type {
	case pemType:
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("found an encrypted key, expected one without a passphrase: the daemon has nobody to ask")
	case "OPENSSH PRIVATE KEY":
		return nil, errors.New("found a key in OpenSSH's format, expected PKCS#8 PEM; make one with failoverd keygen")
	case "PUBLIC KEY":
		return nil, errors.New("found a public key, expected the private one; make a pair with failoverd keygen")
	default:
		return nil, errors.New("found a PEM block of another type, expected PRIVATE KEY (PKCS#8); make one with failoverd keygen")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		// The parser's own error is left out: it may quote what it read.
		return nil, errors.New("the PEM block is damaged, expected an Ed25519 key in PKCS#8; make one with failoverd keygen")
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("found a key of another algorithm, expected Ed25519; make one with failoverd keygen")
	}
	return key, nil
}
