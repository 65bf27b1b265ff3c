package durableobject

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/overhttp"
)

// version is that of the Worker's API which is spoken here. It is in every answer of the Worker, so that
// neither a stranger nor another version is taken for it.
const version = "1"

// An answer is what came back over HTTP, as it was.
type answer struct {
	overhttp.Answer
	id     string // of the request
	secret string // never to be quoted
}

const (
	remedyAddress = "check witness.durable_object.url, that the Worker in deploy/cloudflare-worker is deployed there, " +
		"and that no proxy or sign-in page answers in its place"
	remedyVersion = "deploy the Worker of this version of failoverd (deploy/cloudflare-worker), or run the failoverd that fits it; " +
		"all regions have to speak the same version"
	remedyCache = "have nothing between here and Cloudflare answer from a cache: the witness would be staler than anybody knows"
	remedyToken = "check witness.durable_object.token_file: the token must be the Worker's secret TOKEN, or OLD_TOKEN"
	remedyQuota = "move the account to the Workers Paid plan: the free plan's 100,000 requests and 100,000 rows a day do not carry " +
		"regions that look every second"
	remedyRegisters = "find out who writes so many registers: a group has three for each region"
	remedyRate      = "find out who asks so often, or raise the variable REQUESTS_PER_SECOND of the Worker"
	remedyWorker    = "mend what the Worker says of itself, and deploy it again: see deploy/cloudflare-worker"
)

// A body is that of every answer of the Worker but a value and an acknowledgement.
type body struct {
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// judge says what is wrong with the answer to op: an *Error, ErrNotFound if there is no such register, nil if
// nothing is wrong.
func (a *answer) judge(op, key string) error {
	p := &witness.Error{Op: op, Key: key, RetryAfter: a.RetryAfter()}
	spoken := a.Header.Get("Failoverd-Witness")
	switch {
	case spoken == "":
		a.stranger(p)
		return p
	case spoken != version:
		p.Class, p.Remedy = witness.Refused, remedyVersion
		p.Err = fmt.Errorf("the Worker speaks version %q of its API, want %s", overhttp.Clip(spoken, a.secret, 20), version)
		return p
	case a.Header.Get("Failoverd-Request") != a.id:
		p.Class, p.Remedy = witness.BadAnswer, remedyCache
		p.Err = fmt.Errorf("HTTP status %d, which is an answer to another request", a.Status)
		return p
	case op == "get" && a.Status == http.StatusOK, op == "put" && a.Status == http.StatusNoContent:
		return nil
	}

	var b body
	if err := json.Unmarshal(a.Body, &b); err != nil || b.Error.Code == "" {
		p.Err = a.describe()
	} else {
		p.Err = fmt.Errorf("HTTP status %d, %s: %s", a.Status, overhttp.Clip(b.Error.Code, a.secret, 40), overhttp.Clip(b.Error.Message, a.secret, 300))
	}
	switch b.Error.Code {
	case "no_record":
		if op == "get" && a.Status == http.StatusNotFound {
			return witness.ErrNotFound
		}
		p.Class, p.Remedy = witness.BadAnswer, remedyAddress
	case "wrong_token":
		p.Class, p.Remedy = witness.Refused, remedyToken
	case "not_configured":
		p.Class, p.Remedy = witness.Refused, remedyWorker
	case "rate_limited":
		p.Class, p.Remedy = witness.RateLimited, remedyRate
	case "too_many_registers":
		p.Class, p.Remedy = witness.Quota, remedyRegisters
	case "quota":
		p.Class, p.Remedy = witness.Quota, remedyQuota
	case "unknown":
		p.Class = witness.Unreachable
	case "unknown_path", "bad_request", "too_large":
		p.Class, p.Remedy = witness.Refused, remedyAddress
	default:
		p.Class, p.Remedy = witness.BadAnswer, remedyAddress
	}
	return p
}

// stranger fills in what an answer means that is not the Worker's.
func (a *answer) stranger(p *witness.Error) {
	p.Err = a.describe()
	switch {
	case a.Status == http.StatusTooManyRequests && strings.Contains(string(a.Body), "1027"): // Cloudflare's page for the free plan
		p.Class, p.Remedy = witness.Quota, remedyQuota
	case a.Status == http.StatusTooManyRequests:
		p.Class, p.Remedy = witness.RateLimited, remedyRate
	case a.Status >= 500 || a.Status == http.StatusRequestTimeout:
		p.Class = witness.Unreachable
	default:
		p.Class, p.Remedy = witness.BadAnswer, remedyAddress
	}
}

// describe is an answer of unknown kind in one line.
func (a *answer) describe() error {
	text := fmt.Sprintf("HTTP status %d", a.Status)
	if to := a.Header.Get("Location"); to != "" {
		text += fmt.Sprintf(" to %q", overhttp.Clip(to, a.secret, 80))
	}
	return errors.New(text + fmt.Sprintf(" with a body that starts %q", overhttp.Clip(string(a.Body), a.secret, 80)))
}
