package bench

import (
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

const second = lease.Instant(time.Second)

// spans are of whole seconds: from, to, from, to, ...
func spans(seconds ...lease.Instant) (all []Span) {
	for i := 0; i < len(seconds); i += 2 {
		all = append(all, Span{seconds[i] * second, seconds[i+1] * second})
	}
	return all
}

func TestPoints(t *testing.T) {
	for _, test := range []struct {
		at   []lease.Instant // seconds
		want []Span
	}{
		{nil, nil},
		{[]lease.Instant{3}, spans(3, 3)},
		{[]lease.Instant{1, 2, 4}, spans(1, 4)},          // 2 s apart is joined
		{[]lease.Instant{1, 2, 5, 6}, spans(1, 2, 5, 6)}, // 3 s is not
		{[]lease.Instant{1, 5, 9}, spans(1, 1, 5, 5, 9, 9)},
	} {
		var at []lease.Instant
		for _, s := range test.at {
			at = append(at, s*second)
		}
		if got := Points(at, 2*time.Second); !slices.Equal(got, test.want) {
			t.Errorf("Points(%v) = %v, want %v", test.at, got, test.want)
		}
	}
}

func TestBetween(t *testing.T) {
	for _, test := range []struct{ of, want []Span }{
		{nil, nil},
		{spans(1, 3), nil},
		{spans(1, 5), nil}, // ends as the time begins
		{spans(1, 6), spans(5, 6)},
		{spans(6, 7), spans(6, 7)},
		{spans(1, 20), spans(5, 10)},
		{spans(9, 12), spans(9, 10)},
		{spans(10, 12), nil},
		{spans(1, 6, 7, 8, 9, 12), spans(5, 6, 7, 8, 9, 10)},
	} {
		if got := Between(test.of, 5*second, 10*second); !slices.Equal(got, test.want) {
			t.Errorf("Between(%v) = %v, want %v", test.of, got, test.want)
		}
	}
}

func TestOverlapAndCovered(t *testing.T) {
	for _, test := range []struct {
		name             string
		nodes            [][]Span
		overlap, covered time.Duration // seconds
	}{
		{"nobody", nil, 0, 0},
		{"one", [][]Span{spans(1, 5)}, 0, 4},
		{"one after the other", [][]Span{spans(1, 5), spans(7, 9)}, 0, 6},
		{"at once after the other", [][]Span{spans(1, 5), spans(5, 9)}, 0, 8},
		{"two at once", [][]Span{spans(1, 5), spans(3, 9)}, 2, 8},
		{"one within another", [][]Span{spans(1, 9), spans(3, 5)}, 2, 8},
		{"two who begin and end together", [][]Span{spans(1, 5), spans(1, 5)}, 4, 4},
		{"three at once count once", [][]Span{spans(1, 9), spans(3, 7), spans(4, 6)}, 4, 8},
		{"again and again", [][]Span{spans(1, 3, 5, 7), spans(2, 6)}, 2, 6},
		{"a moment is none", [][]Span{spans(1, 5), spans(3, 3)}, 0, 4},
	} {
		if got := Overlap(test.nodes...); got != test.overlap*time.Second {
			t.Errorf("%s: two act for %v, want %d s", test.name, got, test.overlap)
		}
		if got := Covered(test.nodes...); got != test.covered*time.Second {
			t.Errorf("%s: somebody acts for %v, want %d s", test.name, got, test.covered)
		}
	}
}
