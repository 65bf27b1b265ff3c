package kube

import (
	"context"
	"net/http"
)

type onceKey struct{}

// Once returns a context whose requests are each sent once. Without it client-go sends a
// request that is answered with 429 or 5xx and Retry-After up to ten times more, also a write:
// one that had landed is then refused for a conflict with itself, and looks as if it had not.
// Below that, net/http sends a write again only where HTTP says that the server has not taken it.
func Once(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// A once takes from the answers to requests of Once what has client-go send them again.
type once struct{ next http.RoundTripper }

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := o.next.RoundTrip(r)
	if err == nil && r.Context().Value(onceKey{}) != nil {
		answer.Header.Del("Retry-After")
	}
	return answer, err
}
