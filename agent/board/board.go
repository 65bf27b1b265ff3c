// Package board is the layers.Board of an agent: what the layers of a region tell those
// of the others, over a register of the witness that is for nothing else.
//
// It guarantees that the newest notes are sent again and again, so that others see that
// the region still has something to say, and that a witness which does not answer holds
// up nobody. It promises no more than that: a note may be as late as the witness is
// stale, and no safety rests on one.
package board

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// A Store is where notes are.
type Store interface {
	WriteNotes(context.Context, witness.Notes) error
	ReadNotes(context.Context, lease.Region) (witness.Notes, error)
}

// Config is what a Board is made of.
type Config struct {
	Store  Store
	Others []lease.Region
	Now    func() lease.Instant // the boot clock
	Log    hclog.Logger

	Every   time.Duration // notes are sent, and those of the others read, this often
	Soon    time.Duration // ... and when there is something new, or Hurry was called
	Timeout time.Duration // of each call
}

// A Board is one region's. Its methods may be used concurrently; none of them blocks,
// but for Run.
type Board struct {
	cfg  Config
	wake chan struct{} // has something when Run is to look again

	mu     sync.Mutex
	own    map[string]string
	news   bool // own has something that was not sent
	hurry  bool
	others map[lease.Region]heard
}

// heard is what came from another region.
type heard struct {
	notes witness.Notes
	at    lease.Instant // when something new came
}

// New returns a board that is empty.
func New(cfg Config) *Board {
	return &Board{cfg: cfg, wake: make(chan struct{}, 1), own: map[string]string{}, others: map[lease.Region]heard{}}
}

// Publish makes a note this region's newest of a layer.
func (b *Board) Publish(layer, note string) {
	b.mu.Lock()
	news := b.own[layer] != note
	b.own[layer], b.news = note, b.news || news
	b.mu.Unlock()
	if news {
		b.look()
	}
}

// Hurry says whether this region waits for what the others have to tell.
func (b *Board) Hurry(on bool) {
	b.mu.Lock()
	b.hurry = on
	b.mu.Unlock()
	b.look()
}

func (b *Board) look() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Notes are the newest notes of a layer of the other regions.
func (b *Board) Notes(layer string) []layers.Note {
	now := b.cfg.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []layers.Note
	for _, region := range b.cfg.Others {
		h, ok := b.others[region]
		if text, has := h.notes.Layers[layer]; ok && has {
			out = append(out, layers.Note{Region: region, Text: text, Silence: now.Sub(h.at)})
		}
	}
	return out
}

// Run sends and reads until ctx ends; then it sends what is new, for the last time.
func (b *Board) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var sent, read time.Time
	failing := false
	for {
		select {
		case <-ctx.Done():
			b.mu.Lock()
			news := b.news
			b.mu.Unlock()
			if news {
				_ = b.send(context.WithoutCancel(ctx)) // nobody is left to try again
			}
			return
		case <-timer.C:
		case <-b.wake:
		}
		b.mu.Lock()
		news, hurry := b.news, b.hurry
		b.mu.Unlock()
		now := time.Now()
		if due(now, sent, news, b.cfg) {
			err := b.send(ctx)
			sent = now
			switch {
			case ctx.Err() != nil:
			case err != nil && !failing:
				b.cfg.Log.Warn("what the layers tell the other regions can't be written", "error", err)
			case err == nil && failing:
				b.cfg.Log.Info("works again", "call", "write what the layers tell the other regions")
			}
			failing = err != nil
		}
		if due(now, read, hurry, b.cfg) {
			b.Read(ctx)
			read = now
		}
		timer.Reset(b.cfg.Soon)
	}
}

// due reports whether something is to be done again that was done last at a time.
func due(now, last time.Time, soon bool, cfg Config) bool {
	age := now.Sub(last)
	return last.IsZero() || age >= cfg.Every || soon && age >= cfg.Soon
}

// send writes the own notes; without any there is nothing to tell.
func (b *Board) send(ctx context.Context) error {
	b.mu.Lock()
	notes := witness.Notes{Sent: time.Now().UTC(), Layers: maps.Clone(b.own)}
	b.news = false
	b.mu.Unlock()
	if len(notes.Layers) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	err := b.cfg.Store.WriteNotes(ctx, notes)
	if err != nil {
		b.mu.Lock()
		b.news = true
		b.mu.Unlock()
	}
	return err
}

// Read reads the notes of all others at once, as Run does again and again. What can't be
// read leaves what is known as it is, which grows old.
func (b *Board) Read(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Timeout)
	defer cancel()
	var all sync.WaitGroup
	for _, region := range b.cfg.Others {
		all.Go(func() {
			notes, err := b.cfg.Store.ReadNotes(ctx, region)
			if err != nil {
				return
			}
			now := b.cfg.Now()
			b.mu.Lock()
			defer b.mu.Unlock()
			if h, ok := b.others[region]; !ok || !h.notes.Sent.Equal(notes.Sent) {
				b.others[region] = heard{notes, now}
			}
		})
	}
	all.Wait()
}
