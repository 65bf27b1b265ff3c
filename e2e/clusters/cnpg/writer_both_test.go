//go:build clusters

package cnpg_test

import (
	"testing"
	"time"
)

// TestBothWritable has the check of writes find what it is there for.
func TestBothWritable(t *testing.T) {
	at := func(n int64, run int, sent, acked int) write {
		begun := time.Unix(0, 0)
		return write{n: n, sent: begun.Add(time.Duration(sent) * time.Millisecond), acked: begun.Add(time.Duration(acked) * time.Millisecond), run: run}
	}
	other := []write{at(1, 0, 0, 5), at(2, 0, 50, 55), at(3, 4, 500, 510)}
	for _, tt := range []struct {
		name string
		one  write
		want int
	}{
		{"before", at(9, 0, -20, -10), 0},
		{"between two", at(9, 0, 20, 30), 1},
		{"while one was under way", at(9, 0, 52, 60), 1},
		{"after the last of a run", at(9, 0, 56, 70), 0},
		{"under way for long", at(9, 0, 60, 505), 1},
	} {
		if got := bothWritable([]write{tt.one}, other); len(got) != tt.want {
			t.Errorf("%s: %d writes while the other region took writes, want %d", tt.name, len(got), tt.want)
		}
	}
}
