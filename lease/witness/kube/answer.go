package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

const (
	remedyCredentials = "check the credentials in witness.kubernetes.kubeconfig: the API server does not know them, or they have expired"
	remedyRole        = "allow the user of witness.kubernetes.kubeconfig to get, create and patch configmaps in the namespace"
	remedyNamespace   = "create the namespace of witness.kubernetes.namespace in the management cluster"
	remedyAddress     = "check the server in witness.kubernetes.kubeconfig, and that no proxy or sign-in page answers in its place"
	remedyTLS         = "check the server and the certificate authority in witness.kubernetes.kubeconfig"
	remedyDown        = "see that the API server runs, and that this host reaches it"
	remedyQuota       = "make room: a ResourceQuota of the namespace, or etcd's database, is full"
	remedyStale       = "take whatever stands before the API server and answers from a cache out of the way; " +
		"if the cluster was restored from a backup, restart failoverd in every region"
	remedyForeign = "remove the object: no region has written it, or use another namespace or witness.prefix"
)

// A verdict is a Status of Kubernetes: why a request has failed.
type verdict struct {
	Kind    string `json:"kind"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Details struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	} `json:"details"`
}

// verdictOf is the verdict that an answer is; the zero value if it is none.
func verdictOf(body []byte) verdict {
	var v verdict
	if json.Unmarshal(body, &v) != nil || v.Kind != "Status" {
		return verdict{}
	}
	return v
}

// judge returns the object that the answer to op bears, or what is wrong with it.
func (s *Store) judge(res *http.Response, body []byte, op, key string) (object, error) {
	if len(body) > maxAnswer {
		return object{}, s.bad(op, key, remedyForeign, "the answer has more than %d bytes", maxAnswer)
	}
	if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusCreated && op == "put" {
		var o object
		switch err := json.Unmarshal(body, &o); {
		case err != nil || o.Kind != "ConfigMap" || o.Metadata.Name != name(key):
			return object{}, s.bad(op, key, remedyAddress, "the answer is no ConfigMap of this name, and starts %.80q", body)
		case o.Metadata.Annotations[keyAnnotation] != key:
			return object{}, s.bad(op, key, remedyForeign, "ConfigMap %s is of the key %q", o.Metadata.Name, o.Metadata.Annotations[keyAnnotation])
		}
		return o, nil
	}
	v := verdictOf(body)
	if res.StatusCode == http.StatusNotFound && op == "get" && v.Reason == "NotFound" && v.Details.Name == name(key) {
		return object{}, witness.ErrNotFound
	}
	e := &witness.Error{
		Class: witness.Unreachable, Op: op, Key: key, RetryAfter: overhttp.Answer{Header: res.Header}.RetryAfter(),
		Err: fmt.Errorf("ask %s: HTTP status %d: %.300s", s.host, res.StatusCode, v.Message),
	}
	says := func(text string) bool { return strings.Contains(v.Message, text) }
	switch {
	case says("exceeded quota"), says("database space exceeded"):
		e.Class, e.Remedy = witness.Quota, remedyQuota
	case res.StatusCode == http.StatusTooManyRequests:
		e.Class = witness.RateLimited
	case res.StatusCode >= 500 || res.StatusCode == http.StatusRequestTimeout || v.Reason == "Conflict":
	case v.Kind == "":
		return object{}, s.bad(op, key, remedyAddress, "HTTP status %d with a body that starts %.80q", res.StatusCode, body)
	case res.StatusCode == http.StatusUnauthorized:
		e.Class, e.Remedy = witness.Refused, remedyCredentials
	case v.Reason == "NotFound" && v.Details.Kind == "namespaces":
		e.Class, e.Remedy = witness.Refused, remedyNamespace
	case res.StatusCode == http.StatusForbidden:
		e.Class, e.Remedy = witness.Refused, remedyRole
	default:
		e.Class = witness.Refused
	}
	return object{}, e
}

func (s *Store) bad(op, key, remedy, format string, args ...any) error {
	return &witness.Error{Class: witness.BadAnswer, Op: op, Key: key, Remedy: remedy, Err: fmt.Errorf("ask %s: %w", s.host, fmt.Errorf(format, args...))}
}

// unreachable is the error of a request that got no answer, or a part of one.
func (s *Store) unreachable(ctx context.Context, op, key string, err error) error {
	e := &witness.Error{Class: witness.Unreachable, Op: op, Key: key, Remedy: remedyDown, Err: fmt.Errorf("ask %s: %w", s.host, err)}
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case ctx.Err() != nil:
		e.Err, e.Remedy = fmt.Errorf("ask %s: %w", s.host, ctx.Err()), ""
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &record):
		e.Class, e.Remedy = witness.BadAnswer, remedyTLS
	}
	return e
}
