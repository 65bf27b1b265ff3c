package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A line of a trace. See the package comment.
type line struct {
	World    *string `json:"world"`
	Clock    string  `json:"clock"`
	Complete bool    `json:"complete"`

	At     int64   `json:"at"`
	Region string  `json:"region"`
	Agent  string  `json:"agent"`
	Params *params `json:"params"`
	Step   *step   `json:"step"`
	Gap    bool    `json:"gap"`
	Still  *bool   `json:"still"`
	Layers *bool   `json:"layers"`
	Landed *landed `json:"landed"`
	Hidden bool    `json:"hidden"`
}

type landed struct {
	Witness int     `json:"witness"`
	WriteID writeID `json:"write_id"`
}

// params are those of an agent, as far as safety rests on them. Times are nanoseconds.
type params struct {
	Region          string
	Members         []string
	TTL             int64
	RequestTimeout  int64
	FenceTimeout    int64
	MaxClockDrift   float64 // ρ
	Staleness       int64   // Δ
	Witnesses       []struct{ Staleness int64 }
	ApprovalTimeout int64
	Instance        string
	TermDuration    int64
	Quorum          bool
	KnownAbsent     []string
}

// longer is how long one has to wait by one's own clock so that d has passed by any other (§2). Rounded down: who waits
// longer is right.
func (p *params) longer(d int64) int64 {
	return int64(float64(d) * (1 + p.MaxClockDrift) / (1 - p.MaxClockDrift))
}

// bounds are the staleness bounds of the witnesses.
func (p *params) bounds() []int64 {
	if len(p.Witnesses) == 0 {
		return []int64{p.Staleness}
	}
	var all []int64
	for _, w := range p.Witnesses {
		all = append(all, w.Staleness)
	}
	return all
}

// others are the members but for the region itself.
func (p *params) others() []string {
	var all []string
	for _, m := range p.Members {
		if m != p.Region {
			all = append(all, m)
		}
	}
	return all
}

type step struct {
	Now     int64    `json:"now"` // by the agent's own clock
	Event   tagged   `json:"event"`
	Actions []tagged `json:"actions"`
}

type tagged struct {
	Type string          `json:"type"`
	With json.RawMessage `json:"with"`
}

// A writeID names an attempt to write a flag: the incarnation of an agent, and a count (§1).
type writeID [16]byte

func (id *writeID) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(id[:], text); err != nil || n != len(id) {
		return fmt.Errorf("write id %q: want 32 hexadecimal digits", text)
	}
	return nil
}

// of is the incarnation of the agent that the write is of.
func (id writeID) of() string { return string(id[:8]) }

// later reports whether the write is a later one than another of the same incarnation, or the same.
func (id writeID) later(o writeID) bool { return bytes.Compare(id[8:], o[8:]) >= 0 }

// What events and actions bear, by the names of their types.
type (
	flagRecord struct {
		State   string  `json:"state"`
		Epoch   uint64  `json:"epoch"`
		WriteID writeID `json:"write_id"`
		Term    uint64  `json:"term"`
	}
	authority struct {
		Epoch    uint64 `json:"epoch"`
		Deadline int64  `json:"deadline"`
		BootID   string `json:"boot_id"`
		Term     uint64 `json:"term"`
		Safety   string `json:"safety"`
	}
	question struct {
		Verb      string
		Epoch     uint64
		Authority bool
		Safety    string
		Term      uint64
	}
	answer struct {
		Authority bool   `json:"a"`
		Remaining int64  `json:"r"`
		Epoch     uint64 `json:"e"`
		Whose     string `json:"o"` // the epoch is; empty: of several
		Granted   bool   `json:"p"`
		Safety    string `json:"h"`
		Term      uint64 `json:"t"`
	}
	termBase struct {
		Epoch uint64
		After uint64
	}
	termRecord struct {
		Holder  string
		Term    uint64
		Beat    uint64
		MayHold []string
		Base    termBase
		Epoch   uint64
	}

	// Events.
	startEvent struct {
		BootID string
		Saved  authority
	}
	outcomeEvent struct { // FlagWritten, AuthoritySaved, LayersFenced, LayersActive
		ID    uint64
		Acked bool
		OK    bool
	}
	roundEvent struct {
		ID      uint64
		Witness int
		Flags   []struct {
			Outcome int
			Flag    flagRecord
		}
		Infos []struct {
			Outcome int
			Info    struct {
				Safety map[string]string `json:"safety"`
			}
		}
	}
	askedEvent struct {
		ID       uint64
		From     string
		Question question
	}
	answeredEvent struct {
		ID      uint64
		From    string
		Reached bool
		Answer  answer
	}
	takeoverEvent struct{ Fenced string }
	termReadEvent struct {
		ID      uint64
		Outcome int
		Record  termRecord
	}
	termWrittenEvent struct {
		ID      uint64
		Outcome int
	}

	// Actions.
	writeAction struct {
		ID      uint64
		Witness int
		Flag    flagRecord
	}
	roundAction struct {
		ID      uint64
		Witness int
	}
	infoAction struct {
		Info struct {
			Safety map[string]string `json:"safety"`
		}
	}
	saveAction struct {
		ID        uint64
		Authority authority
	}
	orderAction struct { // Fence, Activate, Extend
		ID       uint64
		Deadline int64
		Epoch    uint64
		Term     uint64
	}
	askAction struct {
		ID       uint64
		To       string
		Question question
	}
	replyAction struct {
		ID     uint64
		Answer answer
	}
	termWriteAction struct {
		ID     uint64
		Record termRecord
	}
	transitionAction struct {
		From, To string
		Epoch    uint64
		Reason   string
	}
	noticeAction struct{ Reason, Region string }
)

// Outcomes of reading a register. Of a malformed record only the write id is known.
const (
	readUnknown = iota
	readMissing
	readFound
	readMalformed
)

// termAcked is the outcome of a write of the instances' record that has landed.
const termAcked = 1

// read checks a trace.
func read(c *checker, name string, r io.Reader) error {
	s := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		b, err := s.ReadBytes('\n')
		if len(bytes.TrimSpace(b)) > 0 {
			if err := c.line(b); err != nil {
				return fmt.Errorf("%s, line %d: %w", name, n, err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

// as decodes what an event or an action bears.
func as[T any](t tagged) (v T) {
	if err := json.Unmarshal(t.With, &v); err != nil {
		panic(malformed{fmt.Errorf("%s: %w", t.Type, err)})
	}
	return v
}

// malformed is what as panics with, and [checker.line] returns.
type malformed struct{ err error }
