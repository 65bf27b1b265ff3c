package kube

import (
	"errors"
	"fmt"
	"testing"
)

// TestTerm: an order of an older term is refused, and a fence takes no term back.
func TestTerm(t *testing.T) {
	for _, tt := range []struct {
		bears   string
		refused bool   // to activate for epoch 7 in term 3
		fenced  string // for that
	}{
		{"", false, "7/3"},
		{"7", false, "7/3"},
		{"6/3", false, "7/3"},
		{"7/2", false, "7/3"},
		{"7/4", true, "7/4"},
		{"6/4", true, "7/4"},
		{"8/3", true, "8/3"},
		{"7/x", false, "7/3"},
		{"7/4/5", false, "7/3"},
	} {
		o := newWidget("shop", "a")
		SetAnnotations(o, map[string]string{EpochAnnotation: tt.bears})
		of := order
		of.Term = 3
		if err := CheckEpoch(o, of); (err != nil) != tt.refused {
			t.Errorf("%q: activate for epoch 7 in term 3: got %v, want it refused: %v", tt.bears, err, tt.refused)
		}
		if got := FencedEpoch(o, of); got != tt.fenced {
			t.Errorf("%q: fenced for epoch 7 in term 3: got %s, want %s", tt.bears, got, tt.fenced)
		}
	}
}

// TestEpoch: what an object bears is compared with an order, whatever it is.
func TestEpoch(t *testing.T) {
	for _, tt := range []struct {
		bears   string
		epoch   uint64
		refused bool   // to activate for epoch 7
		fenced  string // for epoch 7
	}{
		{"", 0, false, "7"},
		{"6", 6, false, "7"},
		{"7", 7, false, "7"},
		{"8", 8, true, "8"},
		{"18446744073709551615", 1<<64 - 1, true, "18446744073709551615"},
		{"18446744073709551616", 0, false, "7"},
		{"-8", 0, false, "7"},
		{"8 ", 0, false, "7"},
		{"eight", 0, false, "7"},
	} {
		o := newWidget("shop", "a")
		SetAnnotations(o, map[string]string{EpochAnnotation: tt.bears})
		if got := Epoch(o); got != tt.epoch {
			t.Errorf("%q: got epoch %d, want %d", tt.bears, got, tt.epoch)
		}
		err := CheckEpoch(o, order)
		var stale *StaleError
		if refused := errors.As(err, &stale); refused != tt.refused || refused && *stale != (StaleError{tt.fenced, "7"}) {
			t.Errorf("%q: activate for epoch %d: got %v, want it refused: %v", tt.bears, order.Epoch, err, tt.refused)
		}
		if got := FencedEpoch(o, order); got != tt.fenced {
			t.Errorf("%q: fenced for epoch %d: got epoch %s, want %s", tt.bears, order.Epoch, got, tt.fenced)
		}
	}
}

func TestSetAnnotations(t *testing.T) {
	o := newWidget("shop", "a")
	before := fmt.Sprint(o.Object)
	SetAnnotations(o, map[string]string{"a": "1", "b": "2"})
	SetAnnotations(o, map[string]string{"a": "", "b": "3"})
	if got := o.GetAnnotations(); len(got) != 1 || got["b"] != "3" {
		t.Errorf("got %v, want b alone", got)
	}
	// An empty map would be a difference from what was there before.
	SetAnnotations(o, map[string]string{"b": ""})
	if got := fmt.Sprint(o.Object); got != before {
		t.Errorf("all removed: got %s, want %s", got, before)
	}
}

func TestUnfinishedNamesFew(t *testing.T) {
	if err := unfinished("widgets", 3, nil); err != nil {
		t.Errorf("nothing is left: got %v, want nil", err)
	}
	all := []Left{{"s/d", errors.New("four")}, {"s/b", errors.New("two")}, {"s/a", errors.New("one")}, {"s/c", errors.New("three")}, {"s/e", errors.New("five")}}
	const want = "5 of 9 widgets are left: s/a: one; s/b: two; s/c: three; and 2 more"
	if got := unfinished("widgets", 9, all).Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
