package kube

import (
	"errors"
	"fmt"
	"strings"
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

// TestOneAndSeveral has a region go from several instances to one agent, and back.
func TestOneAndSeveral(t *testing.T) {
	type step struct {
		do          string
		epoch, term uint64
		bears       string // afterwards
		refused     string // with what to do
	}
	const byNow = "another instance of this region acts by now"
	for name, steps := range map[string][]step{
		"to one and back": {
			{"fence", 6, 14, "6/14", ""},
			{"fence", 0, 0, "6/14", ""}, // one agent begins
			{"activate", 6, 13, "6/14", byNow},
			{"activate", 7, 0, "7", ""},
			{"activate", 6, 14, "7", byNow},
			{"fence", 7, 0, "7", ""},
			{"activate", 6, 14, "7", byNow},
			{"fence", 0, 15, "7/15", ""}, // several begin
			{"activate", 8, 15, "8/15", ""},
			{"activate", 7, 0, "8/15", byNow},
		},
		"one agent fences before it has acted": {
			{"fence", 6, 14, "6/14", ""},
			{"fence", 7, 0, "7/14", ""},
			{"activate", 6, 14, "7/14", byNow},
			{"activate", 7, 0, "7", ""},
		},
		"several, whose Lease was removed": {
			{"fence", 6, 14, "6/14", ""},
			{"fence", 0, 1, "6/14", ""},
			{"activate", 7, 1, "6/14", "cut the annotation failover.openova.io/epoch down to 6"},
			{"person", 6, 0, "6", ""},
			{"activate", 7, 1, "7/1", ""},
		},
		"an instance is frozen with an epoch that the next one has not seen": {
			{"fence", 6, 14, "6/14", ""},
			{"fence", 0, 15, "6/15", ""},
			{"activate", 7, 14, "6/15", byNow},
		},
		"all was installed anew": {
			{"fence", 6, 14, "6/14", ""},
			{"activate", 1, 0, "6/14", "remove the annotation failover.openova.io/epoch in every region"},
			{"activate", 1, 1, "6/14", "remove the annotation failover.openova.io/epoch in every region"},
		},
	} {
		o := newWidget("shop", "a")
		for i, s := range steps {
			of := order
			of.Epoch, of.Term = s.epoch, s.term
			bears, refused := o.GetAnnotations()[EpochAnnotation], ""
			switch err := CheckEpoch(o, of); {
			case s.do == "fence":
				bears = FencedEpoch(o, of)
			case s.do == "person":
				bears = spell(s.epoch, s.term)
			case err != nil:
				refused = err.Error()
			default:
				bears = ActiveEpoch(of)
			}
			SetAnnotations(o, map[string]string{EpochAnnotation: bears})
			if (refused != "") != (s.refused != "") || !strings.Contains(refused, s.refused) || bears != s.bears {
				t.Errorf("%s, step %d, %s for epoch %d in term %d: it bears %s, refused: %q; want %s, refused: %q", name, i+1, s.do, s.epoch, s.term, bears, refused, s.bears, s.refused)
			}
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
		{"6/4", 6, false, "7/4"},
		{"7/4", 7, false, "7/4"},
		{"8/4", 8, true, "8/4"},
		{"eight", 0, false, "7"},
	} {
		o := newWidget("shop", "a")
		SetAnnotations(o, map[string]string{EpochAnnotation: tt.bears})
		if got := Epoch(o); got != tt.epoch {
			t.Errorf("%q: got epoch %d, want %d", tt.bears, got, tt.epoch)
		}
		err := CheckEpoch(o, order)
		var stale *StaleError
		if refused := errors.As(err, &stale); refused != tt.refused || refused && *stale != (StaleError{Bears: tt.fenced, Order: "7"}) {
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
