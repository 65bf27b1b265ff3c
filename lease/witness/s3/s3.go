// Package s3 is the witness store in a bucket of any store with the API of S3:
// Cloudflare R2, AWS S3, SeaweedFS, MinIO and others. Its staleness bound is 0,
// which such a store keeps if it is strongly consistent: [Store.SelfTest] finds
// out whether it is.
//
// Registers are written without a condition. Each has one writer, whose records
// differ in their write id, and a write that lands late is one that the protocol
// expects (§1): an If-Match would add a request after every lost answer, and no
// safety. So it does no harm either that ETags of equal bodies are equal. Only
// the self-test writes under conditions, and its bodies each have a nonce.
//
// It guarantees that each Put is sent at most once, that no answer is read
// without bound, that an answer is an acknowledgement only if it is one of S3,
// that no request goes to another host, and that the secret is in no error. It
// leaves to others to see that nothing in between repeats requests, or answers
// from a cache.
//
// Of aws-sdk-go-v2 it takes the signatures alone. The three requests are simple;
// the SDK's client for them adds 6 MB to the daemon, and what it
// does beyond them (retries, redirects, checksums in trailers that other stores
// refuse, a correction of the clock that hides one which is hours off) would
// have to be turned off.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

// A Config says which bucket to use, and how. The fields without a comment are
// those of witness.s3 in the configuration.
type Config struct {
	Endpoint        string
	Bucket          string
	Region          string
	PathStyle       bool
	AccessKeyID     string // from credentials_file
	SecretAccessKey string // likewise

	// HTTPClient makes the requests; nil means one of its own that fits. It is
	// for tests. Redirects are never followed.
	HTTPClient *http.Client
	// Now is the wall clock, with which requests are signed; nil means this
	// host's. It is for tests.
	Now func() time.Time
}

// A Store is a bucket.
type Store struct {
	client      *http.Client
	now         func() time.Time
	base        string // of all objects' URLs
	host        string // for messages
	region      string
	credentials aws.Credentials
	signer      *v4.Signer
}

var bucketSyntax = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// New returns the store that cfg describes. It does no I/O; it fails if cfg
// can't be right, naming the configuration key to change.
func New(cfg Config) (*Store, error) {
	u, err := url.Parse(cfg.Endpoint)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("witness.s3.endpoint is %q, want an address like https://s3.eu-central-1.amazonaws.com", overhttp.Clip(cfg.Endpoint, cfg.SecretAccessKey, 200))
	case overhttp.InClear(u):
		return nil, fmt.Errorf("witness.s3.endpoint is %q, want https: whoever is on the way could keep records back", cfg.Endpoint)
	case !bucketSyntax.MatchString(cfg.Bucket):
		return nil, fmt.Errorf("witness.s3.bucket is %q, want the name of a bucket", cfg.Bucket)
	case !cfg.PathStyle && strings.Contains(cfg.Bucket, "."):
		return nil, fmt.Errorf("witness.s3.bucket is %q, want a name without dots, or witness.s3.path_style true: no certificate is for such a host", cfg.Bucket)
	case cfg.Region == "":
		return nil, errors.New("witness.s3.region is empty, want the region of the bucket, such as auto on R2")
	case cfg.AccessKeyID == "" || cfg.SecretAccessKey == "":
		return nil, errors.New("witness.s3.credentials_file has no access key id or no secret access key, want both")
	}
	if cfg.PathStyle {
		u = u.JoinPath(cfg.Bucket)
	} else {
		u.Host = cfg.Bucket + "." + u.Host
	}
	s := &Store{
		client: overhttp.NewClient(),
		now:    time.Now,
		base:   strings.TrimSuffix(u.String(), "/") + "/",
		host:   u.Host,
		region: cfg.Region,
		credentials: aws.Credentials{
			AccessKeyID: cfg.AccessKeyID, SecretAccessKey: cfg.SecretAccessKey,
		},
		// S3 signs a path as it is sent, other services once more escaped.
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
	}
	if cfg.HTTPClient != nil {
		s.client = overhttp.Harden(cfg.HTTPClient)
	}
	if cfg.Now != nil {
		s.now = cfg.Now
	}
	return s, nil
}

// Put implements witness.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if err := witness.CheckSize(key, value); err != nil {
		return err
	}
	a, err := s.exchange(ctx, http.MethodPut, key, value, nil)
	if err != nil {
		return err
	}
	return s.judge(a, "put", key)
}

// Get implements witness.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	a, err := s.exchange(ctx, http.MethodGet, key, nil, nil)
	if err != nil {
		return nil, err
	}
	if err := s.judge(a, "get", key); err != nil {
		return nil, err
	}
	return a.Body, nil
}

// exchange sends one request for the object of key, and returns what came back:
// the error is an *Error, of one that was not sent or not answered.
func (s *Store) exchange(ctx context.Context, method, key string, body []byte, header http.Header) (answer, error) {
	op := strings.ToLower(method)
	name, err := objectName(key)
	if err != nil {
		return answer{}, &witness.Error{Class: witness.Invalid, Op: op, Key: key, Err: err}
	}
	if ctx.Err() != nil {
		return answer{}, witness.Interrupted(ctx, op, key)
	}
	limited, cancel := context.WithTimeout(ctx, overhttp.RequestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(limited, method, s.base+name, bytes.NewReader(body))
	if err != nil {
		return answer{}, &witness.Error{Class: witness.Invalid, Op: op, Key: key, Err: err}
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", payload)
	sent := s.now()
	if err := s.signer.SignHTTP(limited, s.credentials, req, payload, "s3", s.region, sent); err != nil {
		return answer{}, &witness.Error{Class: witness.Invalid, Op: op, Key: key, Err: fmt.Errorf("sign the request: %w", err)}
	}
	res, err := s.client.Do(req)
	a := answer{sent: sent}
	if err == nil {
		a.Answer, err = overhttp.Read(res)
	}
	switch {
	case err == nil:
		return a, nil
	case ctx.Err() != nil:
		return answer{}, witness.Interrupted(ctx, op, key)
	}
	return answer{}, overhttp.NoAnswer(op, key, fmt.Errorf("ask the store: %w", err), s.host, "witness.s3.endpoint and path_style")
}
