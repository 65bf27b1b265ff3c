package kube

import (
	"context"
	"io"
	"net/http"
	"strings"
)

type onceKey struct{}

// Once returns a context whose requests are each sent once. Without it client-go sends a
// request that is answered with 429 or 5xx and Retry-After up to ten times more, also a write:
// one that had landed is then refused for a conflict with itself, and looks as if it had not. So
// does net/http below it over HTTP/2, where a server has read a write and breaks it off.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// A once takes from the requests of Once, and from the answers to them, what has them sent again: the body is there but
// once, and it is there even if it is empty.
type once struct{ next http.RoundTripper }

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Value(onceKey{}) == nil {
		return o.next.RoundTrip(r)
	}
	if r.Method != http.MethodGet {
		r = r.Clone(r.Context())
		r.GetBody = nil
		if r.Body == nil || r.Body == http.NoBody {
			r.Body = io.NopCloser(strings.NewReader(""))
		}
	}
	answer, err := o.next.RoundTrip(r)
	if err == nil {
		answer.Header.Del("Retry-After")
	}
	return answer, err
}
