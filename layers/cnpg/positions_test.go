package cnpg

import (
	"reflect"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// TestPositions: what a promotion rests on is kept for as long as its order is the newest, and over attempts that follow it.
func TestPositions(t *testing.T) {
	own := position{timeline: 2, received: 0x5000, replayed: 0x5000}
	order := layers.Order{Group: "g", Region: "fsn", Epoch: 7, Reason: lease.ReasonTaken}
	last := heard{said{Self: "hel", Epoch: 6, Role: primary, Timeline: 2, LSN: 0x5400}, "hel", 95 * time.Second}
	demoted := last
	demoted.Role, demoted.LSN, demoted.Token = replica, 0x4F00, "token"
	for name, tt := range map[string]struct {
		bears string // epoch
		all   []heard
		own   position
		how   promotion
		want  []layers.Position
	}{
		"taken over from": {"", []heard{last}, own, promotion{at: "0/5000"},
			[]layers.Position{{Object: "shop/db", At: "0/5000", Before: "hel", Last: "0/5400", Silence: 95, Lacks: 0x400}}},
		"handed over": {"", []heard{demoted}, own, promotion{"token", "0/5000"},
			[]layers.Position{{Object: "shop/db", At: "0/5000", Before: "hel", Last: "0/4F00", Silence: 95, Whole: true}}},
		"was primary itself since": {"6", []heard{{said{Epoch: 5, Role: replica, LSN: 0x6000}, "hel", 0}}, own, promotion{at: "0/5000"},
			[]layers.Position{{Object: "shop/db", At: "0/5000"}}},
		"could not be asked, and need not": {"6", nil, position{}, promotion{}, nil},
	} {
		meta := ""
		if tt.bears != "" {
			meta = `annotations: {failover.openova.io/epoch: "` + tt.bears + `"}`
		}
		l := &Layer{}
		c := made(t, meta, ofHel, `{systemID: "1"}`)
		l.promotes(c, order, tt.all, tt.own, tt.how)
		if got := l.Positions(layers.Activate); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
		if got := l.Positions(layers.Fence); got != nil {
			t.Errorf("%s: it is said to have been stopped: %+v", name, got)
		}
	}

	l := &Layer{known: map[string]seen{"shop/db": {position: own, at: time.Now().Add(-3 * time.Second)}}}
	l.promoted.note(order, layers.Position{Object: "shop/z"})
	l.promoted.note(order, layers.Position{Object: "shop/a"})
	if got := l.Positions(layers.Activate); len(got) != 2 || got[0].Object != "shop/a" {
		t.Errorf("got %+v, want a and z", got)
	}
	order.Epoch++
	l.promoted.note(order, layers.Position{Object: "shop/b"})
	if got := l.Positions(layers.Activate); len(got) != 1 || got[0].Object != "shop/b" {
		t.Errorf("for the next order got %+v, want b alone", got)
	}
	l.stops(made(t, "", ofHel, `{systemID: "1"}`), order)
	if got := l.Positions(layers.Fence); len(got) != 1 || got[0].At != "0/5000" || got[0].Age < 3 {
		t.Errorf("stopped: got %+v, want it at 0/5000, 3 s ago", got)
	}
}
