package kube

import (
	"context"
	"time"
)

const (
	// PublishEvery is how late the other regions hear of what has not been published at once, and how late this one looks at what
	// they say.
	PublishEvery = 5 * time.Second

	// publishPause is between two times that something is published, at least.
	publishPause = 200 * time.Millisecond
)

// A Publisher has a layer tell the other regions what its objects are.
type Publisher chan struct{}

// NewPublisher returns one that Watch is to run.
func NewPublisher() Publisher { return make(Publisher, 1) }

// Now has that done without waiting for the time to come.
func (p Publisher) Now() {
	select {
	case p <- struct{}{}:
	default: // it is about to
	}
}

// Watch watches a set, and publishes, until ctx ends. publish, which calls changed as well, reports whether it is to do so again soon.
func (p Publisher) Watch(ctx context.Context, s *Set, changed func(), publish func(ctx context.Context, changed func()) (soon bool)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx, changed)
	}()
	defer func() { <-done }()
	for {
		soon := publish(ctx, changed)
		select {
		case <-ctx.Done():
			return
		case <-time.After(publishPause):
		}
		if soon {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-p:
		case <-time.After(PublishEvery):
		}
	}
}
