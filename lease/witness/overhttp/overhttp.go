// Package overhttp is what stores that are reached over HTTP have in common:
// how requests go out, and how an answer is read before anything is made of it.
//
// It guarantees that no answer is read without bound, and that a request goes
// to no other host than it was made for. It leaves to the stores what they ask,
// and what an answer means.
package overhttp

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

// NewClient returns an HTTP client that keeps connections for reuse, goes
// through the proxy of the environment like any other, gives up on dead
// connections, and follows no redirect.
func NewClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16 // a round of reads comes all at once
	t.MaxResponseHeaderBytes = 64 << 10
	t.DisableCompression = true
	// A connection of HTTP/2 whose path has died would otherwise take every
	// request with it until TCP gives up, a quarter of an hour later.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second}
	return WithoutRedirects(&http.Client{Transport: t})
}

// WithoutRedirects returns a copy of client that follows none.
func WithoutRedirects(client *http.Client) *http.Client {
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
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

// Redact takes a token out of a text that may quote what a proxy sent back.
func Redact(text, token string) string { return strings.ReplaceAll(text, token, "[token]") }

// Clip is the start of a redacted text. It is redacted BEFORE it is cut, or a
// part of the token could be left.
func Clip(text, token string, n int) string {
	text = Redact(text, token)
	return text[:min(len(text), n)]
}
