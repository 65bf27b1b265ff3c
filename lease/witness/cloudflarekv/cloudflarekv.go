// Package cloudflarekv is the witness store in Cloudflare Workers KV, through
// its REST API.
//
// Workers KV has no conditional write, and its reads are stale by "60 seconds
// or more": that is the staleness bound to declare (witness.staleness). Misses
// are cached as well, so ErrNotFound is as old an answer as any. Values are
// written without an expiry.
//
// It guarantees that each Put is sent at most once, that no answer is read
// without bound, that an answer is an acknowledgement only if Cloudflare
// says so in so many words, and that the token is in no error. It leaves to
// others to keep to Cloudflare's limits: one write a second for a key, 1,200
// requests in 5 minutes for a user over all tokens, and 1,000 writes a day on
// the free plan.
package cloudflarekv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cloudflare/cloudflare-go/v7/kv"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

// maxKey is the length in bytes of the longest key that Workers KV takes.
const maxKey = 512

// A Config says which namespace to use, and how. The fields without a comment
// are those of witness.cloudflare_kv in the configuration.
type Config struct {
	AccountID   string
	NamespaceID string
	Token       string // the content of api_token_file
	BaseURL     string // empty: the public API

	// HTTPClient makes the requests; nil means one of its own that fits. It is
	// for tests. Redirects are never followed.
	HTTPClient *http.Client
}

// A Store is a namespace of Workers KV. (Parameters of the SDK are set field by
// field: the helper for that is in its root package, which takes minutes to
// compile.)
type Store struct {
	values    *kv.NamespaceValueService
	account   string // escaped
	namespace string // escaped
	token     string // only to keep it out of messages
	where     string // the address for messages
}

// New returns the store that cfg describes. It does no I/O; it fails if cfg
// can't be right, naming the configuration key to change.
func New(cfg Config) (*Store, error) {
	switch {
	case cfg.AccountID == "":
		return nil, errors.New("witness.cloudflare_kv.account_id is empty, want the id of the Cloudflare account")
	case cfg.NamespaceID == "":
		return nil, errors.New("witness.cloudflare_kv.namespace_id is empty, want the id of a Workers KV namespace")
	case cfg.Token == "":
		return nil, errors.New("witness.cloudflare_kv.api_token_file is empty, want an API token")
	case strings.ContainsFunc(cfg.Token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, errors.New("witness.cloudflare_kv.api_token_file holds spaces or characters that no API token has, want the token alone")
	}
	client := overhttp.NewClient()
	if cfg.HTTPClient != nil {
		client = overhttp.Harden(cfg.HTTPClient)
	}
	opts := []option.RequestOption{
		option.WithEnvironmentProduction(),
		option.WithAPIToken(cfg.Token),
		option.WithHTTPClient(client),
		option.WithMaxRetries(0), // it would send a write twice more (§1)
		option.WithRequestTimeout(overhttp.RequestTimeout),
	}
	where := "api.cloudflare.com"
	if cfg.BaseURL != "" {
		u, err := url.Parse(cfg.BaseURL)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.User != nil {
			return nil, fmt.Errorf("witness.cloudflare_kv.base_url is %q, want an address like https://host/path", cfg.BaseURL)
		}
		if overhttp.InClear(u) {
			return nil, fmt.Errorf("witness.cloudflare_kv.base_url is %q, want https: the token would cross the network in clear", cfg.BaseURL)
		}
		where = u.Host
		opts = append(opts, option.WithBaseURL(strings.TrimSuffix(cfg.BaseURL, "/")+"/"))
	}
	return &Store{
		values:    kv.NewNamespaceValueService(opts...),
		account:   url.PathEscape(cfg.AccountID),
		namespace: url.PathEscape(cfg.NamespaceID),
		token:     cfg.Token,
		where:     where,
	}, nil
}

// Put implements witness.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if err := witness.CheckSize(key, value); err != nil {
		return err
	}
	_, err := s.exchange(ctx, "put", key, func(name string, capture option.RequestOption) error {
		// Sent as it is, and not as the form that the SDK would make of it,
		// which is for values with metadata.
		var params kv.NamespaceValueUpdateParams
		params.AccountID.Value, params.AccountID.Present = s.account, true
		_, err := s.values.Update(ctx, s.namespace, name, params, option.WithRequestBody("application/octet-stream", value), capture)
		return err
	})
	return err
}

// Get implements witness.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	return s.exchange(ctx, "get", key, func(name string, capture option.RequestOption) error {
		var params kv.NamespaceValueGetParams
		params.AccountID.Value, params.AccountID.Present = s.account, true
		_, err := s.values.Get(ctx, s.namespace, name, params, capture)
		return err
	})
}

// exchange sends one request, for the value with the escaped name of key, and
// makes what came back a value or an error.
func (s *Store) exchange(ctx context.Context, op, key string, send func(name string, capture option.RequestOption) error) ([]byte, error) {
	// The SDK does not escape, and resolves "." and ".." as parts of the path.
	if key == "" || key == "." || key == ".." || len(key) > maxKey {
		return nil, &witness.Error{Class: witness.Invalid, Op: op, Key: key,
			Err: fmt.Errorf("key is %.20q of %d bytes, want from 1 to %d and neither a dot nor two", key, len(key), maxKey)}
	}
	if ctx.Err() != nil {
		return nil, witness.Interrupted(ctx, op, key)
	}
	a := answer{secret: s.token}
	err := send(url.PathEscape(key), option.WithMiddleware(a.capture))
	switch {
	case a.complete:
		// What the SDK makes of the answer does not matter: it takes a 200
		// with "success": false for a success, and a page for a parse error.
		if err := a.judge(op, key); err != nil {
			return nil, err
		}
		return a.Body, nil
	case ctx.Err() != nil:
		return nil, witness.Interrupted(ctx, op, key)
	case err == nil:
		err = errors.New("no answer")
	}
	e := overhttp.NoAnswer(op, key, fmt.Errorf("ask Cloudflare: %w", err), s.where, "witness.cloudflare_kv.base_url")
	e.Err = overhttp.RedactError(e.Err, s.token)
	return nil, e
}
