package cloudflarekv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/cloudflare/cloudflare-go/v7/option"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

// An answer is what came back over HTTP, as it was.
type answer struct {
	overhttp.Answer
	complete bool   // the body too, or as much of it as is wanted
	secret   string // never to be quoted
}

// capture takes the answer before the SDK sees it, and bounds it: the SDK
// reads all of a body.
func (a *answer) capture(req *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(req)
	if err != nil {
		return res, err
	}
	if a.Answer, err = overhttp.Read(res); err != nil {
		return nil, err
	}
	a.complete = true
	res.Body = io.NopCloser(bytes.NewReader(a.Body))
	return res, nil
}

const (
	remedyToken = "check witness.cloudflare_kv.api_token_file: the token must be valid, not expired, " +
		"and have the permission Workers KV Storage: Edit for the account in witness.cloudflare_kv.account_id"
	remedyAccount = "check witness.cloudflare_kv.account_id, and that the token in witness.cloudflare_kv.api_token_file " +
		"has the permission Workers KV Storage: Edit for that account"
	remedyNamespace = "check witness.cloudflare_kv.namespace_id: the account has no such Workers KV namespace"
	remedyIDs       = "check witness.cloudflare_kv.account_id and witness.cloudflare_kv.namespace_id: each is 32 hexadecimal digits"
	remedyQuota     = "move the account to a paid Workers plan: a renewal every 10 s needs 8,640 writes a day, the free plan allows 1,000"
	remedyRate      = "have fewer requests made for the Cloudflare user (1,200 in 5 minutes over all tokens), or raise lease.poll_interval"
	remedyAddress   = "check witness.cloudflare_kv.base_url, and that no proxy or sign-in page answers in Cloudflare's place"
)

// An envelope is around every answer of Cloudflare's API but a value.
type envelope struct {
	Success *bool `json:"success"`
	Errors  []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

func (e *envelope) has(codes ...int) bool {
	for _, err := range e.Errors {
		if slices.Contains(codes, err.Code) {
			return true
		}
	}
	return false
}

// says reports whether an error has this text, in any case of letters. It is
// for wrangler's local KV, which gives every error the code 10000.
func (e *envelope) says(message string) bool {
	for _, err := range e.Errors {
		if strings.EqualFold(err.Message, message) {
			return true
		}
	}
	return false
}

// envelope is the answer's envelope; ok is false if it is not in one.
func (a *answer) envelope() (e envelope, ok bool) {
	err := json.Unmarshal(a.Body, &e)
	return e, err == nil && e.Success != nil
}

// judge says what is wrong with the answer to op: an *Error, ErrNotFound if
// there is no such key, nil if nothing is wrong.
func (a *answer) judge(op, key string) error {
	e, enveloped := a.envelope()
	failed := enveloped && !*e.Success
	p := &witness.Error{Op: op, Key: key, RetryAfter: a.RetryAfter(), Err: a.describe(e)}
	switch {
	// A value that looks like a failure is taken for one: no record has that
	// shape, and "unknown" is always safe.
	case a.Status == http.StatusOK && !failed && op == "get" && !a.IsPage():
		return nil
	case a.Status == http.StatusOK && enveloped && !failed && op == "put":
		return nil

	case e.has(10048):
		p.Class, p.Remedy = witness.Quota, remedyQuota
	case a.Status == http.StatusTooManyRequests:
		p.Class, p.Remedy = witness.RateLimited, remedyRate
	case a.Status >= 500 || a.Status == http.StatusRequestTimeout:
		p.Class = witness.Unreachable
	case a.Status == http.StatusNotFound && op == "get" && failed && (e.has(10009) || e.says("Key not found")):
		return witness.ErrNotFound

	// Whatever else was not found, it is no statement about a key.
	case e.has(10013, 10011) || a.Status == http.StatusNotFound && e.says("Namespace not found"):
		p.Class, p.Remedy = witness.Refused, remedyNamespace
	case e.has(7000, 7003):
		p.Class, p.Remedy = witness.Refused, remedyIDs
	case e.has(9109, 9106, 6003, 1000, 1001):
		p.Class, p.Remedy = witness.Refused, remedyToken
	case enveloped && a.Status == http.StatusUnauthorized:
		p.Class, p.Remedy = witness.Refused, remedyToken
	case enveloped && a.Status == http.StatusForbidden:
		p.Class, p.Remedy = witness.Refused, remedyAccount
	case failed && a.Status == http.StatusOK:
		p.Class = witness.Unreachable
	case failed:
		p.Class = witness.Refused
	default:
		p.Class, p.Remedy = witness.BadAnswer, remedyAddress
	}
	return p
}

// describe is the answer in one line.
func (a *answer) describe(e envelope) error {
	text := fmt.Sprintf("HTTP status %d", a.Status)
	for _, err := range e.Errors[:min(len(e.Errors), 3)] {
		text += fmt.Sprintf(", code %d %q", err.Code, overhttp.Clip(err.Message, a.secret, 200))
	}
	if len(e.Errors) == 0 {
		text += fmt.Sprintf(" with a body that starts %q", overhttp.Clip(string(a.Body), a.secret, 80))
	}
	return errors.New(text)
}
