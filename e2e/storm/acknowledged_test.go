package storm

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// renewals are writes, each answered after 0.1 s, every 2 s from one time to another.
func renewals(epoch uint64, from, to float64) (all []daemon.Renewal) {
	for s := from; s <= to; s += 2 {
		all = append(all, daemon.Renewal{Arrived: at(s), Answered: at(s + 0.1), Epoch: epoch})
	}
	return all
}

// TestEarly shows that a region is seen to take too early, and that one that takes in time is not.
func TestEarly(t *testing.T) {
	b := Record{Region: "b", Instance: "b1", Writes: renewals(2, 20, 30), Hooks: hooks("activate", 2, 20, 21)}
	write := func(arrived, answered float64) daemon.Renewal {
		return daemon.Renewal{Arrived: at(arrived), Answered: at(answered), Epoch: 1}
	}
	for _, tt := range []struct {
		name string
		of   []Record
		want int
	}{
		{"nothing", nil, 0},
		{"authority that ended", []Record{{Writes: renewals(1, 0, 10)}}, 0},
		{"authority yet", []Record{{Writes: renewals(1, 0, 12)}}, 1},
		{"of the instance before", []Record{{Writes: renewals(1, 0, 6)}, {Writes: renewals(1, 7, 11)}}, 1},
		{"given up", []Record{{Writes: renewals(1, 0, 18), Hooks: hooks("fence", 1, 18, 19)}}, 0},
		{"given up by another instance", []Record{{Writes: renewals(1, 0, 18)}, {Hooks: hooks("fence", 1, 18, 19)}}, 0},
		{"fencing yet", []Record{{Writes: renewals(1, 0, 18), Hooks: hooks("fence", 1, 18, 21)}}, 1},
		{"fenced before it took", []Record{{Writes: renewals(1, 10, 18), Hooks: hooks("fence", 0, 1, 2)}}, 1},
		{"sent before it had fenced, and late", []Record{{Writes: append(renewals(1, 0, 4), write(11, 11.1)), Hooks: hooks("fence", 1, 5, 6)}}, 0},
		{"answered when it had ended", []Record{{Writes: append(renewals(1, 0, 2), write(11.5, 12))}}, 0},
		{"answered before", []Record{{Writes: append(renewals(1, 0, 2), write(11.5, 11.9))}}, 1},
		{"seen by its hook alone", []Record{{Hooks: hooks("activate", 3, 35, 36)}}, 1},
		{"seen by its claims alone", []Record{{Claims: claims(3, 35, 36, 45)}}, 1},
		{"it took while the other had authority by an older epoch yet", []Record{{Writes: renewals(3, 29, 31)}}, 1},
	} {
		for n := range tt.of {
			tt.of[n].Region = "a"
		}
		if got := Early(append(tt.of, b), 10*time.Second); len(got) != tt.want {
			t.Errorf("%s: got %q, want %d", tt.name, got, tt.want)
		}
	}
}
