// Package durableobject is the witness store in a Cloudflare Durable Object, behind the Worker in
// deploy/cloudflare-worker. It is linearizable: its staleness bound is 0.
//
// It guarantees that each Put is sent at most once, that no answer is read without bound, that an answer
// counts only if that Worker gave it, in the version of its API that is spoken here, to this very request,
// and that the token is in no error. That Cloudflare has one current object, and that an acknowledged
// write survives, is the Worker's part.
package durableobject

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

// maxName is the length in bytes of the longest key or group that the Worker takes.
const maxName = 1024

// A Config says which object to use, and how. The fields without a comment are those of
// witness.durable_object in the configuration.
type Config struct {
	URL   string
	Token string // the content of token_file
	Group string // the failover group, which has an object of its own

	// HTTPClient makes the requests; nil means one of its own that fits. It is for tests. Redirects are
	// never followed.
	HTTPClient *http.Client
}

// A Store is the object of one group.
type Store struct {
	client  *http.Client
	address string // of the registers, without a query
	where   string // the host for messages
	token   string
	group   string
}

// New returns the store that cfg describes. It does no I/O; it fails if cfg can't be right, naming the
// configuration key to change.
func New(cfg Config) (*Store, error) {
	u, err := checkURL(cfg.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("witness.durable_object.url: %w", err)
	case cfg.Token == "":
		return nil, errors.New("witness.durable_object.token_file is empty, want a token")
	case strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("witness.durable_object.token_file holds spaces or characters that no token has, want the token alone")
	}
	if err := checkName(cfg.Group); err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	client := overhttp.NewClient()
	if cfg.HTTPClient != nil {
		client = overhttp.Harden(cfg.HTTPClient)
	}
	return &Store{
		client:  client,
		address: u.Scheme + "://" + u.Host + "/v" + version + "/register",
		where:   u.Host,
		token:   cfg.Token,
		group:   cfg.Group,
	}, nil
}

// checkURL says what is wrong with the address of a Worker, without quoting what may be a secret.
func checkURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case strings.ContainsAny(address, "@?#"):
		return nil, errors.New("it has a user, a query or a fragment, want an address like https://failoverd-witness.example.workers.dev")
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Path != "" && u.Path != "/":
		return nil, fmt.Errorf("it is %q, want an address like https://failoverd-witness.example.workers.dev, without a path", address)
	case overhttp.InClear(u):
		return nil, fmt.Errorf("it is %q, want https: the token would cross the network in clear", address)
	}
	return u, nil
}

// Put implements witness.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if err := witness.CheckSize(key, value); err != nil {
		return err
	}
	_, err := s.exchange(ctx, "put", key, http.MethodPost, value)
	return err
}

// Get implements witness.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	return s.exchange(ctx, "get", key, http.MethodGet, nil)
}

// exchange sends one request, and makes what came back a value or an error.
func (s *Store) exchange(ctx context.Context, op, key, method string, value []byte) ([]byte, error) {
	if err := checkName(key); err != nil {
		return nil, &witness.Error{Class: witness.Invalid, Op: op, Key: key, Err: fmt.Errorf("key: %w", err)}
	}
	if ctx.Err() != nil {
		return nil, witness.Interrupted(ctx, op, key)
	}
	a, err := s.send(ctx, key, method, value)
	switch {
	case err == nil:
		if err := a.judge(op, key); err != nil {
			return nil, err
		}
		return a.Body, nil
	case ctx.Err() != nil:
		return nil, witness.Interrupted(ctx, op, key)
	}
	e := overhttp.NoAnswer(op, key, fmt.Errorf("ask the Worker: %w", err), s.where, "witness.durable_object.url")
	e.Err = overhttp.RedactError(e.Err, s.token)
	return nil, e
}

func (s *Store) send(ctx context.Context, key, method string, value []byte) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, overhttp.RequestTimeout)
	defer cancel()
	query := url.Values{"group": {s.group}, "key": {key}}
	req, err := http.NewRequestWithContext(ctx, method, s.address+"?"+query.Encode(), bytes.NewReader(value))
	if err != nil {
		return nil, err
	}
	id := requestID()
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Failoverd-Request", id)
	req.Header.Set("Cache-Control", "no-store")
	req.Header.Set("User-Agent", "failoverd")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	read, err := overhttp.Read(res)
	if err != nil {
		return nil, err
	}
	return &answer{Answer: read, id: id, secret: s.token}, nil
}

// requestID names a request, so that an answer that a cache gives in the Worker's place is found out.
func requestID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// checkName refuses a key or group that could not be told from another one at the Worker.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("it is %.20q of %d bytes, want from 1 to %d of UTF-8", name, len(name), maxName)
	}
	return nil
}
