package cnpg

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

var testTime = time.Unix(1790000000, 0)

// tokenOf is a token as CloudNativePG makes them.
func tokenOf(timeline int, at, system string) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil,
		`{"latestCheckpointTimelineID":"%d","redoWalFile":"f","databaseSystemIdentifier":%q,"latestCheckpointREDOLocation":%q,"timeOfLatestCheckpoint":"t","operatorVersion":"1.30.0"}`, timeline, system, at))
}

func TestDecide(t *testing.T) {
	own := position{timeline: 2, received: 0x5000, replayed: 0x5000}
	good := tokenOf(2, "0/4FA0", "1")
	from := func(region lease.Region, epoch uint64, r role, token string) heard {
		return heard{said{Self: string(region), Epoch: epoch, Role: r, Token: token, Timeline: 2, LSN: 0x5000}, region, time.Second}
	}
	silent := func(h heard) heard { h.silence = time.Hour; return h }
	promoted := func(h heard, timeline int, at lsn) heard { h.Timeline, h.Promoted = timeline, at; return h }
	ahead := func(h heard, by lsn) heard { h.LSN += by; return h }

	for _, tt := range []struct {
		name    string
		bears   string // epoch
		all     []heard
		own     position
		reason  lease.ReasonCode
		waited  time.Duration
		follows bool

		token string
		err   string
	}{
		{name: "nobody has said anything"},
		{name: "nobody else was ever primary", all: []heard{from("hel", 0, replica, "")}},
		{name: "demoted", all: []heard{from("hel", 6, replica, good)}, token: good},
		{name: "demoted, for a takeover", all: []heard{from("hel", 6, replica, good)}, reason: lease.ReasonTaken, token: good},
		{name: "demoted, and silent since", all: []heard{silent(from("hel", 6, replica, good))}, token: good},
		{name: "demoted, not replayed", all: []heard{from("hel", 6, replica, tokenOf(2, "0/5000", "1"))}, err: "waiting to replay up to 0/5000"},
		{name: "demoted, not replayed for long", all: []heard{from("hel", 6, replica, tokenOf(2, "0/6000", "1"))}, waited: catchUp, token: tokenOf(2, "0/6000", "1")},
		{name: "being demoted", all: []heard{from("hel", 6, demoting, "")}, err: "waiting for the demotion token of hel"},
		{name: "being demoted, for a takeover", all: []heard{from("hel", 6, demoting, "")}, reason: lease.ReasonTaken, err: "waiting for the demotion token of hel"},
		{name: "being demoted, and silent", all: []heard{silent(from("hel", 6, demoting, ""))}},
		{name: "has pledged", all: []heard{from("hel", 6, primary, "")}, err: "waiting for hel to publish"},
		{name: "has pledged, and silent", all: []heard{silent(from("hel", 6, primary, ""))}},
		{name: "taken over from", all: []heard{from("hel", 6, primary, "")}, reason: lease.ReasonTaken},
		{name: "stopped without a token", all: []heard{from("hel", 6, stopped, "")}},
		{name: "demoted without a token", all: []heard{from("hel", 6, replica, "")}},

		{name: "this region was primary since", bears: "6", all: []heard{from("hel", 5, replica, good), from("nbg", 3, primary, "")}, own: position{}},
		{name: "another was primary since", all: []heard{from("hel", 5, replica, good), from("nbg", 6, primary, "")}, reason: lease.ReasonTaken},
		{name: "the one before demoted too", all: []heard{from("hel", 5, demoting, ""), from("nbg", 6, replica, good)}, token: good},
		{name: "a note of the order's own epoch", all: []heard{from("hel", 7, demoting, "")}},

		{name: "token of another database", all: []heard{from("hel", 6, replica, tokenOf(2, "0/4FA0", "2"))}},
		{name: "token of an older timeline", all: []heard{from("hel", 6, replica, tokenOf(1, "0/4FA0", "1"))}},
		{name: "token of a newer timeline", all: []heard{from("hel", 6, replica, tokenOf(3, "0/6000", "1"))}, err: "waiting to replay"},
		{name: "token that the data has gone past", all: []heard{from("hel", 6, replica, tokenOf(2, "0/4000", "1"))}},
		{name: "token of no use", all: []heard{from("hel", 6, replica, "x")}},

		{name: "as far ahead as may be lost", all: []heard{ahead(from("hel", 6, primary, ""), 1<<20)}, reason: lease.ReasonTaken},
		{name: "further ahead", all: []heard{ahead(from("hel", 6, primary, ""), 1<<20+1)}, reason: lease.ReasonTaken, err: "1.0 MiB would be lost, and max_lag is 1.0 MiB"},
		{name: "further ahead, and silent", all: []heard{silent(ahead(from("hel", 6, demoting, ""), 1<<21))}, err: "was last heard of, 1h0m0s ago"},
		{name: "further ahead, what to do", all: []heard{ahead(from("hel", 6, primary, ""), 1<<21)}, reason: lease.ReasonTaken, err: `kubectl -n shop patch clusters.postgresql.cnpg.io db --type merge -p '{"spec":{"replica":{"primary":"fsn"}}}'`},
		{name: "further ahead on an older timeline", all: []heard{ahead(from("hel", 6, primary, ""), 1<<21)}, own: position{timeline: 3, received: 0x5000, replayed: 0x5000}, reason: lease.ReasonTaken},

		{name: "gone another way", all: []heard{promoted(from("hel", 6, primary, ""), 3, 0x4000)}, reason: lease.ReasonTaken, err: "hel was promoted at 0/4000; the data here goes to 0/5000 on an older timeline"},
		{name: "gone another way, and a token", all: []heard{promoted(from("hel", 6, replica, tokenOf(3, "0/6000", "1")), 3, 0x4000)}, waited: catchUp, err: "a rebuild may be required"},
		{name: "not seen to follow, and caught up with a token", all: []heard{promoted(from("hel", 6, replica, tokenOf(3, "0/4FA0", "1")), 3, 0x4000)}, token: tokenOf(3, "0/4FA0", "1")},
		{name: "seen to follow", all: []heard{promoted(from("hel", 6, primary, ""), 3, 0x4000)}, reason: lease.ReasonTaken, follows: true},
		{name: "not past where the other was promoted", all: []heard{promoted(from("hel", 6, primary, ""), 3, 0x5000)}, reason: lease.ReasonTaken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			meta := ""
			if tt.bears != "" {
				meta = `annotations: {failover.openova.io/epoch: "` + tt.bears + `"}`
			}
			c := made(t, meta, ofHel, `{systemID: "1"}`)
			if tt.own == (position{}) {
				tt.own = own
			}
			if tt.reason == "" {
				tt.reason = lease.ReasonPledged
			}
			o := order(7)
			o.Reason = tt.reason
			got, err := decide(c, o, tt.all, tt.own, tt.follows, limits{maxLag: 1 << 20, silence: time.Minute}, tt.waited)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Fatalf("got error %v, want %q", err, tt.err)
			}
			if got.token != tt.token {
				t.Errorf("got token %q, want %q", got.token, tt.token)
			}
			if want := max(tt.own.received, tt.own.replayed).String(); err == nil && got.at != want {
				t.Errorf("got position %q, want %q", got.at, want)
			}
		})
	}
}

// A token is used once: when its promotion was carried out, this region was primary
// under a later epoch than the one that was demoted.
func TestTokenIsUsedOnce(t *testing.T) {
	c := made(t, "", ofHel, `{systemID: "1"}`)
	note := []heard{{said{Epoch: 6, Role: replica, Token: tokenOf(2, "0/4FA0", "1")}, "hel", 0}}
	own := position{2, 0x5000, 0x5000}
	for _, epoch := range []uint64{7, 8, 9} {
		o := order(epoch)
		p, err := decide(c, o, note, own, false, limits{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if used := p.token != ""; used != (epoch == 7) {
			t.Errorf("epoch %d: token used: %v", epoch, used)
		}
		apply(t, activate(o, how(p, nil)), c)
		apply(t, fence(o, led("")), c)
	}
}

func TestNotes(t *testing.T) {
	ours := made(t, "", ofHel, `{systemID: "1"}`)
	theirs := made(t, `annotations: {failover.openova.io/epoch: "6", failover.openova.io/promoted-at: 0/3000}`, `{self: hel, primary: hel, source: fsn}`, `{systemID: "1"}`)
	theirs.SetName("db-hel")
	other := made(t, "", isPrimary, `{systemID: "2"}`)
	text, err := json.Marshal([]said{say(other, position{}, testTime), say(theirs, position{3, 0x5000, 0x4000}, testTime)})
	if err != nil {
		t.Fatal(err)
	}
	e := ear{read: map[lease.Region]reading{}}
	got := e.hear(ours, []layers.Note{{Region: "hel", Text: string(text)}, {Region: "nbg", Text: "{"}, {Region: "xyz", Text: `[{"epoch":-1}]`}, {Region: "abc"}})
	if len(got) != 1 {
		t.Fatalf("heard %d notes, want 1: %v", len(got), got)
	}
	want := said{Namespace: "shop", Name: "db-hel", Self: "hel", System: "1", Epoch: 6, Role: primary, Timeline: 3, LSN: 0x5000, Promoted: 0x3000, At: testTime.Unix()}
	if got[0].said != want {
		t.Errorf("heard %+v, want %+v", got[0].said, want)
	}
	if leader := leaderOf(ours, got); leader != "hel" {
		t.Errorf("leader %q, want hel", leader)
	}
	if goneAnotherWay(position{2, 0x3000, 0x3000}, got[0]) || !goneAnotherWay(position{2, 0x3001, 0x3001}, got[0]) || goneAnotherWay(position{3, 0x4000, 0x4000}, got[0]) {
		t.Error("gone another way: want so beyond 0/3000 on an older timeline than 3, and not else")
	}
	anonymous := made(t, "", ofHel, "")
	if got := e.hear(anonymous, []layers.Note{{Region: "hel", Text: string(text)}}); len(got) != 1 || got[0].System != "2" {
		t.Errorf("without a system identifier: heard %v, want the Cluster of the same name", got)
	}
}

func TestRole(t *testing.T) {
	const demoted = `annotations: {cnpg.io/fencedInstances: '["*"]', failover.openova.io/original: '{}', failover.openova.io/epoch: "6"}`
	for _, tt := range []struct {
		meta, replica, status string
		role                  role
		token                 string
	}{
		{"", isPrimary, "", primary, ""},
		{`annotations: {cnpg.io/fencedInstances: '["db-1"]'}`, isPrimary, "", primary, ""},
		{demoted, isPrimary, "", stopped, ""},
		{demoted, ofHel, `{demotionToken: old}`, demoting, ""},
		{`annotations: {cnpg.io/fencedInstances: '["*"]', failover.openova.io/original: '{}', cnpg.io/reconciliationLoop: disabled}`, ofHel, "", stopped, ""},
		{`annotations: {cnpg.io/fencedInstances: '["*"]', failover.openova.io/original: '{}', cnpg.io/hibernation: "on"}`, ofHel, "", stopped, ""},
		{"", ofHel, `{switchReplicaClusterStatus: {inProgress: true}}`, demoting, ""},
		{"", ofHel, `{demotionToken: t}`, replica, ""},
		{`annotations: {cnpg.io/fencedInstances: '["*"]', failover.openova.io/epoch: "6"}`, ofHel, `{demotionToken: t}`, replica, "t"}, // stopped by hand
		{`annotations: {failover.openova.io/epoch: "6"}`, ofHel, `{demotionToken: t}`, replica, "t"},
	} {
		got := say(made(t, tt.meta, tt.replica, tt.status), position{}, time.Time{})
		if got.Role != tt.role || got.Token != tt.token {
			t.Errorf("%s %s %s: got %s, token %q; want %s, token %q", tt.meta, tt.replica, tt.status, got.Role, got.Token, tt.role, tt.token)
		}
	}
}
