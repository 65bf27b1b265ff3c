package storm

import (
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// A Record is all that was seen of one instance, each list in the order of time. Instants are of one clock, whatever that of the
// instance says.
type Record struct {
	Region   lease.Region     `json:"region"`
	Instance string           `json:"instance"`
	Claims   []Claim          `json:"claims"`
	Gates    []Gate           `json:"gates"`
	Hooks    []Hook           `json:"hooks"`
	Writes   []daemon.Renewal `json:"writes"`
	Still    []Span           `json:"still"` // when it was frozen, or did not run
	Blind    []Span           `json:"blind"` // when it could not reach its API server, and so could not know whether it acts
}

// A Claim is an answer to: have you authority?
type Claim struct {
	Sent, Received lease.Instant // of question and answer
	Epoch          uint64        // 0: no
	Deadline       lease.Instant // of its authority, as it says

	State  lease.StateName
	Reason lease.ReasonCode
}

// A Gate is a row of answers, no more than patience apart, that all say the same of: is the dead-man gate open?
type Gate struct {
	Open bool
	Span // from the first answer to the last question; empty if there was one
	last lease.Instant
}

// patience is how long an answer may take: one that comes later says nothing.
const patience = time.Second

// gate adds an answer.
func (r *Record) gate(sent, received lease.Instant, open bool) {
	if n := len(r.Gates); n > 0 && r.Gates[n-1].Open == open && sent.Sub(r.Gates[n-1].last) < patience {
		r.Gates[n-1].To, r.Gates[n-1].last = max(r.Gates[n-1].From, sent), received
		return
	}
	r.Gates = append(r.Gates, Gate{open, Span{received, received}, received})
}

// A Route is a row of answers of a region's API server that all show one version of its route: so it is what it was all the
// while, however long they are apart.
type Route struct {
	Region  lease.Region `json:"region"`
	Version string       `json:"version"`
	Leads   bool         `json:"leads"` // to the application, and so clients into the region
	Span                 // from the first answer to the last question; empty if there was one
}

// A Hook is the beginning or the end of a run of the instance's hook.
type Hook struct {
	At     lease.Instant
	Action string // activate or fence
	Epoch  uint64
	End    bool
}

// Findings are what was seen that must never be, each in a sentence, and figures.
type Findings struct {
	Authority []string `json:"authority"` // two regions had authority at once
	Early     []string `json:"early"`     // a region took that could not by what the witness has acknowledged: Early
	Serving   []string `json:"serving"`   // the gates of two regions were open at once, before active layers
	Layers    []string `json:"layers"`    // the layers of two were active at once, by hooks, though the first one had an instance that could fence
	Routes    []string `json:"routes"`    // ... by the routes in their API servers
	Epochs    []string `json:"epochs"`    // two regions acted under one epoch

	Outlived       Outlived       `json:"outlived"` // by hooks
	RoutesOutlived Outlived       `json:"routes_outlived"`
	Gaps           []Span         `json:"gaps"`    // when no gate was open, once one had been
	Gap            time.Duration  `json:"gap"`     // the longest of them
	Regions        map[string]int `json:"regions"` // how often each began to serve
	Held           time.Duration  `json:"held"`    // how long some gate was open
	All            time.Duration  `json:"all"`     // from the first time on
}

// Bad is all that must never be.
func (f Findings) Bad() []string {
	return slices.Concat(f.Authority, f.Early, f.Serving, f.Layers, f.Routes, f.Epochs)
}

// Judge looks for what must never be. Machine is how long it took whenever the test ran the hook: from when a timer was due until the
// hook had ended.
func Judge(records []Record, routes []Route, machine []Span) Findings {
	f := Findings{Regions: map[string]int{}}
	by := map[lease.Region][]Record{}
	var regions []lease.Region
	for _, r := range records {
		if by[r.Region] == nil {
			regions = append(regions, r.Region)
		}
		by[r.Region] = append(by[r.Region], r)
	}
	for i, a := range regions {
		for _, b := range regions[i+1:] {
			both(&f.Authority, "authority", a, b, all(by[a], Record.authority), all(by[b], Record.authority))
			both(&f.Serving, "open gates", a, b, serving(by[a]), serving(by[b]))
		}
	}
	f.layers(regions, by, routes, machine)
	f.epochs(records)
	f.gaps(regions, by)
	return f
}

// all is what each instance of a region did, together.
func all(records []Record, what func(Record) []Span) []Span {
	var spans []Span
	for _, r := range records {
		spans = append(spans, what(r)...)
	}
	return union(spans)
}

// both says when two regions did the same at once.
func both(to *[]string, what string, a, b lease.Region, as, bs []Span) {
	for _, s := range as {
		for _, o := range bs {
			if at := s.overlap(o); at.length() > 0 {
				*to = append(*to, fmt.Sprintf("%s of %s and %s: from %d to %d, %v", what, a, b, at.From, at.To, at.length()))
			}
		}
	}
}

// authority is when the instance surely had it: between two answers that say so of one epoch, and for as long as it
// stood still after one, up to the deadline that it had told.
func (r Record) authority() []Span {
	var spans []Span
	for i, c := range r.Claims {
		if c.Epoch == 0 {
			continue
		}
		next := Claim{Sent: lease.Never}
		if i+1 < len(r.Claims) {
			next = r.Claims[i+1]
		}
		if next.Epoch == c.Epoch {
			spans = append(spans, Span{c.Received, min(next.Sent, c.Deadline)})
		}
		for _, still := range r.Still {
			// It may have given it up between the answer and the fault, if that was long.
			if c.Received <= still.From && still.From < min(next.Sent, c.Deadline) && still.From.Sub(c.Received) < patience {
				spans = append(spans, Span{still.From, min(still.To, c.Deadline, next.Sent)})
			}
		}
	}
	return spans
}

// serving is when a gate of a region was surely open before its active layers. An instance that follows learns only when it next reads
// the record that the region has given its authority up, which it has when it is fenced: its gate may be open for a moment yet.
func serving(records []Record) (spans []Span) {
	for _, gate := range all(records, Record.serving) {
		for _, layers := range active(records) {
			if at := gate.overlap(layers); at.length() > 0 {
				spans = append(spans, at)
			}
		}
	}
	return spans
}

// serving is when the gate was surely open.
func (r Record) serving() []Span {
	var spans []Span
	for _, g := range r.Gates {
		if g.Open {
			spans = append(spans, g.Span)
		}
	}
	return spans
}

// epochs says which were of two regions.
func (f *Findings) epochs(records []Record) {
	of := map[uint64]lease.Region{}
	for _, r := range records {
		note := func(epoch uint64, what string) {
			if other, is := of[epoch]; is && other != r.Region {
				f.Epochs = append(f.Epochs, fmt.Sprintf("epoch %d is of %s, and %s of %s has it too: %s", epoch, other, r.Instance, r.Region, what))
			}
			of[epoch] = r.Region
		}
		for _, c := range r.Claims {
			if c.Epoch > 0 {
				note(c.Epoch, "authority")
			}
		}
		for _, h := range r.Hooks {
			if h.Action == "activate" {
				note(h.Epoch, "activated")
			}
		}
	}
}

// gaps is when nobody served.
func (f *Findings) gaps(regions []lease.Region, by map[lease.Region][]Record) {
	type turn struct {
		Span
		region lease.Region
	}
	var turns []turn
	for _, r := range regions {
		for _, s := range all(by[r], Record.serving) {
			turns = append(turns, turn{s, r})
		}
	}
	if len(turns) == 0 {
		return
	}
	slices.SortFunc(turns, func(a, b turn) int { return int(a.From.Sub(b.From)) })
	until, last := turns[0].From, lease.Region("")
	for _, t := range turns {
		if gap := (Span{until, t.From}); gap.length() > oneMiss {
			f.Gaps, f.Gap = append(f.Gaps, gap), max(f.Gap, gap.length())
		} else {
			f.Held += gap.length()
		}
		if t.region != last {
			f.Regions[string(t.region)]++
			last = t.region
		}
		f.Held += Span{max(until, t.From), t.To}.length()
		until = max(until, t.To)
	}
	f.All = until.Sub(turns[0].From)
}

// oneMiss is how long nothing is known of the gates without anything being wrong: they are asked one after the other.
const oneMiss = 300 * time.Millisecond
