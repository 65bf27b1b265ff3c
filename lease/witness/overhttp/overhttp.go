// Package overhttp is what stores that are reached over HTTP have in common:
// how requests go out, and how an answer is read before anything is made of it.
//
// It guarantees that no answer is read without bound, that a write is sent at
// most once, and that a request goes to no other host than it was made for. It
// leaves to the stores what they ask, and what an answer means.
package overhttp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

// RequestTimeout ends a request whose context has no earlier deadline.
const RequestTimeout = 30 * time.Second

// NewClient returns an HTTP client that keeps connections for reuse, goes
// through the proxy of the environment like any other, gives up on dead
// connections, and is hardened.
func NewClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16 // a round of reads comes all at once
	t.MaxResponseHeaderBytes = 64 << 10
	t.DisableCompression = true
	// A connection of HTTP/2 whose path has died would otherwise take every
	// request with it until TCP gives up, a quarter of an hour later.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second}
	return Harden(&http.Client{Transport: t})
}

// Harden returns a copy of client, which has a transport, that sends a write at
// most once, and follows no redirect.
func Harden(client *http.Client) *http.Client {
	c := *client
	c.Transport = once{c.Transport}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// once has every request but a read sent at most once (§1). net/http would send
// one again, without end, where a server of HTTP/2 has read it and breaks it
// off, if it can have the body again. It can't: the body is there but once, and
// it is there even if it is empty.
type once struct{ http.RoundTripper }

func (o once) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		req = req.Clone(req.Context())
		req.GetBody = nil
		if req.Body == nil || req.Body == http.NoBody {
			req.Body = io.NopCloser(strings.NewReader(""))
		}
	}
	return o.RoundTripper.RoundTrip(req)
}

// NoAnswer is the error of a request that got no answer from a host, or a part of one. setting is what leads there in the
// configuration. A host that can't show who it is counts as a stranger that answers: no time mends that.
func NoAnswer(op, key string, err error, host, setting string) *witness.Error {
	e := &witness.Error{Class: witness.Unreachable, Op: op, Key: key, Err: err,
		Remedy: fmt.Sprintf("check that %s can be reached from here, and HTTPS_PROXY if there is a proxy", host)}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var name *net.DNSError
	switch {
	case errors.As(err, &certificate), errors.As(err, &record):
		e.Class = witness.BadAnswer
		e.Remedy = fmt.Sprintf("check %s, this machine's clock, and that no proxy takes TLS apart", setting)
	case errors.As(err, &name) && name.IsNotFound:
		e.Remedy = fmt.Sprintf("check %s, and that this machine can look up %s", setting, host)
	}
	return e
}

// An Answer is what came back, as it was.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // of one that is too large the first witness.MaxRecord+1 bytes
}

// Read reads an answer, and closes its body.
func Read(res *http.Response) (Answer, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, witness.MaxRecord+1))
	if err != nil {
		return Answer{}, fmt.Errorf("read answer: %w", err)
	}
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// IsPage reports whether the answer is one for a person to read, which no
// store gives.
func (a Answer) IsPage() bool {
	mediaType, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return err == nil && (mediaType == "text/html" || mediaType == "application/xhtml+xml")
}

// RetryAfter is how long the answer asks to wait, 0 if it does not say.
func (a Answer) RetryAfter() time.Duration {
	v := a.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds > 0 {
		return time.Duration(min(seconds, 24*60*60)) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(0, time.Until(at)), 24*time.Hour)
	}
	return 0
}

// InClear reports whether others on the network can read what is sent to an
// address: it is asked by http, and is not this machine.
func InClear(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "http" && !loopback
}

// RedactError is err without the token: its text alone, if the token is there.
func RedactError(err error, token string) error {
	if text := err.Error(); strings.Contains(text, token) {
		return errors.New(Redact(text, token))
	}
	return err
}

// Redact takes a token out of a text that may quote what a proxy sent back.
func Redact(text, token string) string { return strings.ReplaceAll(text, token, "[token]") }

// Clip is the start of a redacted text. It is redacted BEFORE it is cut, or a
// part of the token could be left.
func Clip(text, token string, n int) string {
	text = Redact(text, token)
	return text[:min(len(text), n)]
}
