package cnpg

import (
	"strings"
	"testing"
)

func TestBehind(t *testing.T) {
	last := heard{said{Self: "hel", Epoch: 6, Role: primary, Timeline: 3, LSN: 0x5000, Promoted: 0x4000}, "hel", 0}
	with := func(change func(*heard)) []heard { h := last; change(&h); return []heard{h} }
	for _, tt := range []struct {
		name    string
		bears   string // epoch
		own     position
		follows bool
		all     []heard
		want    string
	}{
		{name: "nobody is primary", own: position{3, 0x5000, 0x5000}},
		{name: "has all", own: position{3, 0x5000, 0x5000}, all: []heard{last}},
		{name: "lacks as much as may be lost", own: position{3, 0x4000, 0x4000}, all: with(func(h *heard) { h.LSN = 0x4000 + 1<<20 })},
		{name: "lacks more", own: position{3, 0x4000, 0x4000}, all: with(func(h *heard) { h.LSN = 0x4001 + 1<<20 }), want: "lacks 1.0 MiB of what hel has, and max_lag is 1.0 MiB"},
		{name: "position not known", all: []heard{last}, want: "has told no position yet"},
		{name: "gone another way", own: position{2, 0x5000, 0x5000}, all: []heard{last}, want: "since that was promoted at 0/4000: a rebuild is required"},
		{name: "on its way to the new timeline", own: position{2, 0x5000, 0x5000}, follows: true, all: []heard{last}},
		{name: "was primary after that", bears: "7", all: []heard{last}},
		{name: "that is demoted", all: with(func(h *heard) { h.Role = replica })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			meta := ""
			if tt.bears != "" {
				meta = `annotations: {failover.openova.io/epoch: "` + tt.bears + `"}`
			}
			got := behind(made(t, meta, ofHel, `{systemID: "1"}`), tt.own, tt.all, tt.follows, 1<<20)
			if got != tt.want && (tt.want == "" || !strings.HasSuffix(got, tt.want)) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
