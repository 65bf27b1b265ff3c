package witness_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// at is the reader's clock, which has nothing to do with the writer's: that begins at 0.
func at(seconds float64) lease.Instant {
	return lease.Instant(1000*time.Hour) + lease.Instant(seconds*float64(time.Second))
}

func sec(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

var writer = witness.Writer{Region: "a", Incarnation: 7}

// TestWatch tells what is found, read by read. The writer's clock shows what the test's does; the first read is answered
// 1 s after the write, so the reader takes all that it hears of the writer to be up to 1 s later than it was.
func TestWatch(t *testing.T) {
	type write struct{ sent, acked float64 } // acked 0: its answer was lost
	type read struct {
		attempt        int
		sent, answered float64
	}
	for _, test := range []struct {
		name   string
		writes []write
		reads  []read
		want   float64
	}{
		{"fresh", []write{{0, 0.5}, {10, 10.5}}, []read{{1, 0.6, 1}, {1, 9.9, 10}, {2, 11, 11.1}}, 0},
		{"an older one after a newer one", []write{{0, 0.5}, {10, 10.5}, {20, 20.5}},
			[]read{{1, 0.6, 1}, {3, 21, 21.1}, {1, 30, 30.1}}, 18.5},
		{"an older one before a newer one", []write{{0, 0.5}, {10, 10.5}, {20, 20.5}},
			[]read{{1, 0.6, 1}, {1, 15, 15.1}, {3, 21, 21.1}}, 3.5},
		{"nothing is known yet", []write{{0, 0.5}, {10, 10.5}, {20, 20.5}}, []read{{1, 0.6, 1}, {1, 30, 30.1}}, 0},
		{"the newer one's acknowledgement is not known", []write{{0, 0.5}, {10, 10.5}}, []read{{1, 0.6, 1}, {2, 11, 11.1}, {1, 30, 30.1}}, 0},
		{"it was lost, and lies on top", []write{{0, 0}, {10, 10.5}, {20, 20.5}, {30, 30.5}},
			[]read{{1, 0.6, 1}, {4, 31, 31.1}, {1, 40, 40.1}}, 0},
		{"the newer one was lost, and the next was not", []write{{0, 0.5}, {10, 0}, {20, 20.5}, {30, 30.5}},
			[]read{{1, 0.6, 1}, {4, 31, 31.1}, {1, 40, 40.1}}, 18.5},
		{"one that was acknowledged after one that was lost", []write{{0, 0}, {10, 10.5}, {20, 20.5}, {30, 30.5}},
			[]read{{1, 0.6, 1}, {4, 31, 31.1}, {2, 40, 40.1}}, 18.5},
	} {
		t.Run(test.name, func(t *testing.T) {
			var writes witness.Writes
			var stamps []*witness.Stamp
			for _, w := range test.writes {
				stamp := writes.Begin(sec(w.sent))
				if stamps = append(stamps, stamp); w.acked > 0 {
					writes.Acked(stamp.Attempt, sec(w.acked))
				}
			}
			w := witness.NewWatch(0)
			var last lease.Instant
			for _, r := range test.reads {
				last = at(r.answered)
				w.Read(writer, stamps[r.attempt-1], at(r.sent), last)
			}
			if got := w.Stalest("a", last); got != sec(test.want) {
				t.Errorf("got %v, want %v", got, sec(test.want))
			}
			if got := w.Stalest("b", last); got != 0 {
				t.Errorf("of another region it found %v, want nothing", got)
			}
			if got := w.Stalest("a", last.Add(witness.Remembered+time.Minute)); got != 0 {
				t.Errorf("long after it has %v, want it forgotten", got)
			}
		})
	}
}

// Records of another incarnation, whose clock is another one and whose writes may land late, say nothing of this one's.
func TestWatchTellsIncarnationsApart(t *testing.T) {
	var one, two witness.Writes
	w := witness.NewWatch(0)
	old := one.Begin(0)
	one.Acked(1, sec(0.5))
	w.Read(writer, old, at(1), at(1.1))
	for i := range 3 {
		s := two.Begin(sec(float64(10 * i)))
		two.Acked(s.Attempt, sec(float64(10*i)+0.5))
		w.Read(witness.Writer{Region: "a", Incarnation: 8}, s, at(float64(100+10*i)), at(float64(101+10*i)))
	}
	w.Read(writer, old, at(200), at(200.1))
	if got := w.Stalest("a", at(201)); got != 0 {
		t.Errorf("got %v, want nothing", got)
	}
}

// What the writer itself says of its acknowledgements is known at once.
func TestWatchIsTold(t *testing.T) {
	var writes witness.Writes
	w := witness.NewWatch(0)
	stamps := []*witness.Stamp{writes.Begin(0)}
	writes.Acked(1, sec(1))
	stamps = append(stamps, writes.Begin(sec(10)))
	writes.Acked(2, sec(11))
	w.Told(writer, writes.Known(sec(11)), at(11))
	w.Read(writer, stamps[0], at(14), at(15))
	if got := w.Stalest("a", at(15)); got != 3*time.Second {
		t.Errorf("got %v, want 3s", got)
	}
}

// An answer that comes when the next attempt has begun is no acknowledgement: the two may have landed in either order.
func TestLateAcknowledgement(t *testing.T) {
	var writes witness.Writes
	first := writes.Begin(0)
	second := writes.Begin(sec(10))
	writes.Acked(first.Attempt, sec(10.1))
	writes.Acked(second.Attempt, sec(10.5))
	writes.Acked(second.Attempt, sec(10.6))
	if got, want := writes.Known(sec(11)).Acks, []witness.Ack{{Attempt: 2, Lost: 1, At: sec(10.5)}}; !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestAcks has a day of writes, of which some are lost: what a stamp has of them goes back for minutes, is no further
// apart than an eighth of its age, and is small.
func TestAcks(t *testing.T) {
	for _, every := range []time.Duration{time.Second, 10 * time.Second} {
		random := rand.New(rand.NewPCG(1, 0))
		var writes witness.Writes
		var longest time.Duration
		var last *witness.Stamp
		for now := time.Duration(0); now < 24*time.Hour; now += every {
			s := writes.Begin(now)
			if len(s.Acks) == 32 {
				if back := now - s.Acks[0].At; longest == 0 || back < longest {
					longest = back
				}
			}
			for i := 1; i < len(s.Acks); i++ {
				newer := s.Acks[i].At
				if gap, most := newer-s.Acks[i-1].At, max(2*every+every/2, (now-newer)/8); gap > most && s.Acks[i].Lost == s.Acks[i-1].Lost {
					t.Fatalf("of a write each %v: at %v two are %v apart, want %v at most: %+v", every, now, gap, most, s.Acks)
				}
			}
			last = s
			if random.IntN(20) > 0 {
				writes.Acked(s.Attempt, now+every/2)
			}
		}
		value := encode(t, witness.Record{Register: flagOfA, Flag: flag, Stamp: last})
		t.Logf("of a write each %v they go back for %v at least; a record has %d bytes", every, longest, len(value))
		if len(value) > 2<<10 {
			t.Errorf("a record has %d bytes, want 2 KiB at most", len(value))
		}
		if longest < 40*every {
			t.Errorf("of a write each %v they go back for %v, want 40 of them at least", every, longest)
		}
	}
}

// A stamp that makes no sense is none, and its flag counts.
func TestStampsThatMakeNoSense(t *testing.T) {
	const good = `{"attempt":3,"sent_ns":9,"acks":[{"n":1,"at_ns":5},{"n":2,"at_ns":7}]}`
	read := func(stamp string) *witness.Stamp {
		t.Helper()
		body := `{"version":1,"group":"g","kind":"flag","region":"a","flag":{"state":"candidate","epoch":3,"write_id":"00000000000000070000000000000008"},"stamp":` + stamp + `}`
		r, err := witness.Decode(sealed(t, body, "a"), flagOfA, publicKey("a"))
		if err != nil || r.Flag.Epoch != 3 {
			t.Fatalf("%s: flag %+v, %v; want it as without a stamp", stamp, r.Flag, err)
		}
		return r.Stamp
	}
	if s := read(good); s == nil || s.Attempt != 3 || len(s.Acks) != 2 || s.Acks[1].At != 7 {
		t.Fatalf("got %+v of %s", s, good)
	}
	for old, new := range map[string]string{
		good:           `"x"`,
		`"attempt":3`:  `"attempt":0`,
		`"sent_ns":9`:  `"sent_ns":6`,
		`"n":2`:        `"n":1`,
		`"n":1`:        `"n":1,"lost":2`,
		`"at_ns":7`:    `"at_ns":4`,
		`"at_ns":5`:    `"at_ns":-5`,
		`:9,"acks":[{`: `:4e18,"acks":[{`,
		`{"n":1,`:      strings.Repeat(`{"n":1,"at_ns":5},`, 40) + `{"n":1,`,
		`"acks":[`:     `"acks":[7,`,
	} {
		stamp := strings.Replace(good, old, new, 1)
		if s := read(stamp); stamp == good || s != nil {
			t.Errorf("%s: got %+v, want none", stamp, s)
		}
	}
}

// A staleWorld is a store with one register, its writer, and a reader who reads through caches, in a time that none of
// them knows.
type staleWorld struct {
	random *rand.Rand
	drift  float64
	rates  [2]float64 // of the clocks of writer and reader
	starts [2]float64

	lands   []landing // in the order of time
	caches  []cached
	holds   float64 // for how long what a cache fetched is served
	lossy   bool
	every   float64 // a write
	polls   float64
	latency float64
}

type landing struct {
	at      float64
	attempt int
}

type cached struct {
	at      float64
	attempt int
	filled  bool
}

func (w *staleWorld) clock(who int, t float64) float64 { return w.starts[who] + w.rates[who]*t }

// newStaleWorld draws one. The rates of its clocks are as wrong as they may be, or less.
func newStaleWorld(seed uint64, holds float64, lossy bool) *staleWorld {
	random := rand.New(rand.NewPCG(seed, 0))
	w := &staleWorld{random: random, drift: 0.01 * random.Float64(), holds: holds, lossy: lossy, every: 1 + 9*random.Float64(),
		polls: 0.3 + 2*random.Float64(), latency: 0.02 + 0.3*random.Float64()}
	for who := range 2 {
		w.rates[who] = 1 + w.drift*float64(random.IntN(3)-1)
		w.starts[who] = 1e5 * random.Float64()
	}
	w.caches = make([]cached, 1+random.IntN(3))
	return w
}

// truth is what the register holds at a time.
func (w *staleWorld) truth(at float64) (attempt int) {
	for _, l := range w.lands {
		if l.at <= at {
			attempt = l.attempt
		}
	}
	return attempt
}

// since is for how long an attempt's record has not lain there, at a time.
func (w *staleWorld) since(attempt int, at float64) float64 {
	for i := len(w.lands) - 1; i >= 0; i-- {
		if l := w.lands[i]; l.attempt == attempt {
			if l.at > at {
				return 0 // it landed on the way of the read
			}
			if i+1 == len(w.lands) || w.lands[i+1].at > at {
				return 0
			}
			return at - w.lands[i+1].at
		}
	}
	panic("a record was read that was not there")
}

// run lets the world be for some time, and returns what the watch found and how stale the stalest read was, on the
// reader's clock. After each read the one is checked against the other.
func (w *staleWorld) run(t *testing.T, seconds float64) (found, truly time.Duration) {
	writer := witness.Writer{Region: "a", Incarnation: 1}
	var writes witness.Writes
	var stamps []*witness.Stamp
	delay := func() float64 { return w.latency * w.random.ExpFloat64() }
	begun := w.clock(0, 0)
	own := func(t float64) time.Duration { return sec(w.clock(0, t) - begun) }
	for now := w.random.Float64(); now < seconds; {
		stamp := writes.Begin(own(now))
		stamps = append(stamps, stamp)
		lands, answered := now+delay(), 0.0
		if lost := w.lossy && w.random.IntN(4) == 0; lost {
			if late := w.random.IntN(3); late == 0 {
				lands += 60 * w.random.Float64()
			} else if late == 1 {
				lands = seconds * 2
			}
			now += 2
		} else {
			answered = lands + delay()
			writes.Acked(stamp.Attempt, own(answered))
			now = max(now+w.every, answered)
		}
		w.lands = append(w.lands, landing{lands, len(stamps)})
	}
	slices.SortStableFunc(w.lands, func(a, b landing) int {
		if a.at < b.at {
			return -1
		}
		return 1
	})
	watch := witness.NewWatch(w.drift)
	reader := func(t float64) lease.Instant { return lease.Instant(sec(w.clock(1, t))) }
	for now := 1.0; now < seconds; now += w.polls * (0.5 + w.random.Float64()) {
		c := &w.caches[w.random.IntN(len(w.caches))]
		there := max(now+delay(), c.at) // reads come to a cache one after the other
		if !c.filled || there-c.at >= w.holds {
			*c = cached{there, w.truth(there), true}
		}
		answered := there + delay()
		if c.attempt == 0 {
			continue
		}
		truly = max(truly, sec(w.rates[1]*w.since(c.attempt, now)))
		watch.Read(writer, stamps[c.attempt-1], reader(now), reader(answered))
		found = max(found, watch.Stalest("a", reader(answered)))
		if found > truly+time.Microsecond { // what rounding makes of floating point
			t.Fatalf("at %.1f s it found a read stale by %v, and the stalest was so by %v", now, found, truly)
		}
	}
	return found, truly
}

// TestWatchIsNeverWrong: whatever the clocks, delays and caches, and whether writes are lost or land late, on top of
// newer ones, no read is found to be staler than one was; of a store that is not stale none is at all.
func TestWatchIsNeverWrong(t *testing.T) {
	for seed := range uint64(150) {
		for _, lossy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d lossy %v", seed, lossy), func(t *testing.T) {
				newStaleWorld(seed, 0, lossy).run(t, 200)
				newStaleWorld(seed, 60*rand.New(rand.NewPCG(seed, 1)).Float64(), lossy).run(t, 300)
			})
		}
	}
}

// TestWatchFinds: reads that are stale are found to be, by most of what they were.
func TestWatchFinds(t *testing.T) {
	for _, lossy := range []bool{false, true} {
		worst := 1.0
		for seed := range uint64(20) {
			found, truly := newStaleWorld(seed, 60, lossy).run(t, 500)
			worst = min(worst, found.Seconds()/truly.Seconds())
		}
		t.Logf("lossy %v: it found %.0f %% at least of how stale the stalest was", lossy, 100*worst)
		if worst < 0.6 {
			t.Errorf("lossy %v: it found %.0f %% of how stale the stalest was, want most of it", lossy, 100*worst)
		}
	}
}
