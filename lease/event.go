package lease

import "time"

// An Event is something that happened, told to Step by the goroutine that owns
// the State.
type Event interface{ event() }

// Start is the first event of a State, and occurs once.
type Start struct {
	// Incarnation is unique among all runs of this region's agent ever (a
	// random number): write ids are made of it.
	Incarnation uint64
	// BootID is the identity of the running boot: Instants of another boot
	// mean nothing.
	BootID string
	// Saved is the authority found on disk; the zero value if there was none or
	// it could not be read.
	Saved Authority
	// Version is the daemon's, for the info record.
	Version string
	// Paused is what is left of an operator's Pause; of no use where a region has several instances, whose
	// record bears it.
	Paused time.Duration
}

// Tick says that time has passed; it is due at Decision.Wake.
type Tick struct{}

// FlagWritten is the outcome of a WriteFlag. Anything but an acknowledgement
// is "unknown", never "failed" (§1).
type FlagWritten struct {
	ID    ActionID
	Acked bool
}

// RoundRead is the outcome of a ReadRound, from the same witness: one entry per member, in the order
// of Params.Members. Infos is nil where the round did not ask for them.
type RoundRead struct {
	ID      ActionID
	Witness int `json:",omitempty"`
	Flags   []FlagRead
	Infos   []InfoRead
}

// InfoWritten is the outcome of a WriteInfo.
type InfoWritten struct {
	ID    ActionID
	Acked bool
}

// AuthoritySaved is the outcome of a SaveAuthority.
type AuthoritySaved struct {
	ID ActionID
	OK bool
}

// LayersFenced says that every layer is known to be inactive, by the Fence with
// this ID.
type LayersFenced struct{ ID ActionID }

// LayersActive says that every layer is known to be active, by the Activate
// with this ID.
type LayersActive struct{ ID ActionID }

// Asked is a signed question of another region, as it came through the quorum
// (§4). ID is the caller's: the Reply to it bears it.
type Asked struct {
	ID       uint64
	From     Region
	Question Question
}

// Answered is what became of an Ask. Reached says that enough resolvers brought
// the same signed answer; without it nothing is known, and CutOff says that no
// resolver answers this region anything at all.
type Answered struct {
	ID      ActionID
	From    Region
	Reached bool
	CutOff  bool
	Answer  Answer
}

// HandOver asks an active region to fence and to hand its authority over to
// another one, as State.HandOverGates says that it can (§4). On loan that one
// gives it back when it is asked to, by Recall.
type HandOver struct {
	To   Region
	Loan bool
}

// Recall, as State.RecallGates says that it can be, asks the region that this one has lent its authority to
// to give it back (§4, loan).
type Recall struct{}

// Health says how the region is. One that is active and degraded hands its authority over
// as soon as State.LeaveGates are open, and no other region hands its own over to one that
// is degraded or behind. Until the first one comes it is neither.
type Health struct {
	Degraded bool
	Causes   []string // for people, in this region and the others
	Behind   []string // what of its data is too far behind to be promoted now, for people too; none if it is not behind
}

// Approve, as State.ApproveGates says that it can be, is an operator's word that a semi-automatic region may do
// what it asks for (§4, modes). It is of no use after Until: an agent that was frozen when it was given is not to act
// by it when it thaws.
type Approve struct {
	Kind  RequestKind
	Until Instant
}

// Pause has the region that this instance acts for decide nothing by itself for a while, whatever its mode; For 0
// ends that (§4, modes). What it holds it goes on with, and it fences and pledges as ever.
type Pause struct{ For time.Duration }

// Takeover, as State.TakeoverGates says that it can be, is an operator's word that a region is down and fenced, so that
// its pledge is not waited for until it shows a sign of life (§4, dead holder
// and dead witness). A standby asks the others at once. The word is of no use
// after Until: an agent that was frozen when it was given must not act by it when
// it thaws, since the region may have come back. Without a region it is an order to take as soon as that is
// safe, to one that does not by itself (§4, modes).
type Takeover struct {
	Fenced Region
	Until  Instant
}

// TermRead is the outcome of a ReadTerm: ReadMissing where there is no record yet (§5).
type TermRead struct {
	ID      ActionID
	Outcome ReadOutcome
	Record  TermRecord
}

// TermWritten is the outcome of a WriteTerm.
type TermWritten struct {
	ID      ActionID
	Outcome TermOutcome
}

// A TermOutcome says what became of a WriteTerm.
type TermOutcome uint8

const (
	TermUnknown TermOutcome = iota // it may have landed, or may yet
	TermAcked
	TermRefused // it has not landed, and won't: another record is there
)

// Release asks the instance to stop (a stop of the daemon): to leave the region to another
// instance if there is one, and else to fence, to give authority up, and to stay standby.
type Release struct{}

func (Start) event()          {}
func (Tick) event()           {}
func (FlagWritten) event()    {}
func (RoundRead) event()      {}
func (InfoWritten) event()    {}
func (AuthoritySaved) event() {}
func (LayersFenced) event()   {}
func (LayersActive) event()   {}
func (Asked) event()          {}
func (Answered) event()       {}
func (HandOver) event()       {}
func (Recall) event()         {}
func (Health) event()         {}
func (Takeover) event()       {}
func (Approve) event()        {}
func (Pause) event()          {}
func (TermRead) event()       {}
func (TermWritten) event()    {}
func (Release) event()        {}
