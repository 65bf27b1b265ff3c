// Package kube is the witness store in ConfigMaps of a Kubernetes API server,
// that of a management cluster. It is linearizable: its staleness bound is 0.
// There is one ConfigMap for each register; a ConfigMap and not a Lease, as the
// value is kept whole and as it is, and has room.
//
// A read names no resourceVersion: the API server then asks etcd, and does not
// answer from its watch cache. A write is one server-side apply, which makes
// the object where it is missing, and carries no precondition: a register has
// one writer, and what lands late may land on top of newer ones (§1). With one,
// an attempt that landed and whose answer was lost would have the next refused.
//
// It guarantees that each Put is sent at most once (client-go's own requests,
// which are sent again where the server asks for that, are not used), that no
// answer is read without bound, and that an answer which is older than one
// before it is an error. It leaves to others to make the namespace, and to
// allow get, create and patch of its ConfigMaps.
package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"unicode/utf8"

	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

// maxAnswer is the size in bytes of the largest answer that is read: a
// ConfigMap has at most 1 MiB of values, which are longer in base64.
const maxAnswer = 4 << 20

// fieldManager is the name under which the store writes.
const fieldManager = "failoverd-witness"

// A Store is a namespace of an API server.
type Store struct {
	client    *http.Client
	base      *url.URL // of the namespace's ConfigMaps
	host      string   // for messages
	namespace string

	mu   sync.Mutex
	seen map[string]int64 // the highest resourceVersion of a key that was answered
}

// New returns the store in a namespace of the API server that config leads to.
// It does no I/O; it fails if config can't be right.
func New(config *rest.Config, namespace string) (*Store, error) {
	if namespace == "" {
		return nil, errors.New("witness.kubernetes.namespace is empty, want the name of a namespace")
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("witness.kubernetes.kubeconfig: make a client of the API server: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("witness.kubernetes.kubeconfig: the server's address: %w", err)
	}
	return &Store{
		client: overhttp.Harden(&http.Client{Transport: transport}), base: host.JoinPath("api/v1/namespaces", namespace, "configmaps"),
		host: host.Host, namespace: namespace, seen: map[string]int64{},
	}, nil
}

// Put implements witness.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if err := witness.CheckSize(key, value); err != nil {
		return err
	}
	body, err := json.Marshal(newObject(s.namespace, key, value))
	if err != nil {
		return &witness.Error{Class: witness.Invalid, Op: "put", Key: key, Err: err}
	}
	_, err = s.ask(ctx, "put", key, http.MethodPatch, "?force=true&fieldManager="+fieldManager, body)
	return err
}

// Get implements witness.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	o, err := s.ask(ctx, "get", key, http.MethodGet, "", nil)
	if err != nil {
		return nil, err
	}
	value := o.BinaryData[valueKey]
	return value[:min(len(value), witness.MaxRecord+1)], nil
}

// ask sends one request, and judges its answer.
func (s *Store) ask(ctx context.Context, op, key, method, query string, body []byte) (object, error) {
	if key == "" || !utf8.ValidString(key) {
		return object{}, &witness.Error{Class: witness.Invalid, Op: op, Key: key, Err: fmt.Errorf("key is %q, want text of UTF-8", key)}
	}
	if ctx.Err() != nil {
		return object{}, witness.Interrupted(ctx, op, key)
	}
	s.mu.Lock()
	before := s.seen[key]
	s.mu.Unlock()
	req, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(name(key)).String()+query, bytes.NewReader(body))
	if err != nil {
		return object{}, &witness.Error{Class: witness.Invalid, Op: op, Key: key, Err: err}
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/apply-patch+yaml") // of which JSON is a part
	}
	status, answer, err := s.send(req)
	if err != nil {
		return object{}, s.unreachable(ctx, op, key, err)
	}
	o, err := s.judge(status, answer, op, key)
	if err != nil {
		return object{}, err
	}
	version, err := strconv.ParseInt(o.Metadata.ResourceVersion, 10, 64)
	switch {
	case err != nil || version <= 0:
		return object{}, s.bad(op, key, remedyAddress, "the object bears the resourceVersion %q, want a number", o.Metadata.ResourceVersion)
	case version < before:
		return object{}, s.bad(op, key, remedyStale, "the object is of resourceVersion %d, after one of %d: it is stale, and not linearizable", version, before)
	}
	s.mu.Lock()
	s.seen[key] = max(s.seen[key], version)
	s.mu.Unlock()
	return o, nil
}

// send returns the answer and its body.
func (s *Store) send(req *http.Request) (*http.Response, []byte, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	return res, body, nil
}
