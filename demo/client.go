package demo

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/openova-io/failoverd/lease"
)

const (
	// askEvery is how often the client asks all regions.
	askEvery = 100 * time.Millisecond
	// askTimeout is how long it waits for each answer. It is below fence_timeout, which a region stops
	// to answer before its deadline: so the answers of one round are never those of two regions of
	// which one came after the other.
	askTimeout = 300 * time.Millisecond
)

// A sample is one round of questions.
type sample struct {
	asked    time.Time
	at       time.Duration // the same, since the client began
	answered []answer      // the regions whose services did, in their order
}

// An answer is that of a service that is active.
type answer struct {
	region lease.Region
	epoch  uint64
}

// ask asks all regions from now on until ctx ends, and sends what they say, in the order of the
// questions, to the channel that it returns.
func ask(ctx context.Context, regions []*region) <-chan sample {
	client := &http.Client{Timeout: askTimeout}
	begun := time.Now()
	rounds := make(chan chan sample, int(askTimeout/askEvery)+1) // those under way
	go func() {
		defer close(rounds)
		tick := time.NewTicker(askEvery)
		defer tick.Stop()
		for {
			round := make(chan sample, 1)
			now := time.Now()
			go func() { round <- sample{now, now.Sub(begun), askAll(ctx, client, regions)} }()
			select {
			case rounds <- round:
			case <-ctx.Done():
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	out := make(chan sample)
	go func() {
		defer close(out)
		defer client.CloseIdleConnections()
		for round := range rounds {
			s := <-round
			select {
			case out <- s:
			case <-ctx.Done():
			}
		}
	}()
	return out
}

// askAll asks every region at the same time.
func askAll(ctx context.Context, client *http.Client, regions []*region) []answer {
	epochs := make([]uint64, len(regions))
	var asked sync.WaitGroup
	for i, r := range regions {
		asked.Go(func() { epochs[i] = askOne(ctx, client, r.service.url) })
	}
	asked.Wait()
	var out []answer
	for i, epoch := range epochs {
		if epoch > 0 {
			out = append(out, answer{regions[i].name, epoch})
		}
	}
	return out
}

// askOne returns the epoch under which a service is active; 0 if it is not.
func askOne(ctx context.Context, client *http.Client, url string) (epoch uint64) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0
	}
	if _, err := fmt.Fscan(resp.Body, &epoch); err != nil {
		return 0
	}
	return epoch
}
