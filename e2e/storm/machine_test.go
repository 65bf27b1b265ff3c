package storm

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// machineEvery is how often the hook is run for nothing.
const machineEvery = 200 * time.Millisecond

// A machine runs the hook again and again, for no instance: as late as that is, an instance may be.
type machine struct {
	mu   sync.Mutex
	runs []Span // from when a timer was due until the hook had ended
}

// newMachine runs it until the test ends.
func newMachine(t *testing.T, hook string) *machine {
	m, layer := &machine{}, filepath.Join(t.TempDir(), "layer.log")
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			due := now().Add(machineEvery)
			select {
			case <-time.After(machineEvery):
			case <-ctx.Done():
				return
			}
			if err := exec.CommandContext(ctx, hook, layer).Run(); err != nil && ctx.Err() == nil {
				t.Errorf("the hook, run for no instance: %v", err)
			}
			m.mu.Lock()
			m.runs = append(m.runs, Span{due, now()})
			m.mu.Unlock()
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return m
}

func (m *machine) seen() []Span {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.runs)
}
