package lease

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A StateName is where a region stands.
type StateName string

const (
	Standby   StateName = "standby"   // layers fenced, no authority, watching
	Candidate StateName = "candidate" // its flag is raised; no authority yet
	Active    StateName = "active"    // holds authority; its layers are active or becoming so
	Follower  StateName = "follower"  // another instance acts for the region, or none does yet (§5)
	Fencing   StateName = "fencing"   // its layers are becoming inactive, or are not known to be
)

// StateNames are all states, in the order of a life.
var StateNames = []StateName{Follower, Fencing, Standby, Candidate, Active}

// transitions are the legal ones; "" is before Start.
var transitions = map[StateName][]StateName{
	"":        {Follower, Fencing, Active},            // Active: authority on disk that still stands (§5)
	Follower:  {Fencing, Active},                      // Active: authority that it can prove (§5)
	Fencing:   {Follower, Standby, Active},            // Active: renewed while authority still stood (§2)
	Standby:   {Follower, Candidate, Active},          // Active: by pledges (§4)
	Candidate: {Follower, Standby, Active, Candidate}, // Candidate: starts over with a higher epoch (§3)
	Active:    {Follower, Fencing},
}

// infoInterval is how often the own info record is written anew, so that a
// namespace that was emptied fills again. It costs 24 writes a day.
const infoInterval = time.Hour

// defaultApprovalTimeout is how long an operator's word is good for where nothing is configured.
const defaultApprovalTimeout = 15 * time.Minute

// A State is one region's side of the protocol. It is not safe for concurrent
// use: one goroutine owns it.
type State struct {
	p          Params
	safety     map[string]string // p.Safety()
	safetyHash string            // SafetyHash of it
	without    uint64            // rules that a mutant leaves out; 0 in production
	strict     bool              // panic on an illegal transition rather than fence

	self        int    // this region's number in p.Members
	incarnation uint64 // of this run of the agent
	bootID      string
	version     string

	now    Instant
	name   StateName
	since  Instant
	reason ReasonCode
	nextID ActionID

	// Authority (§2). It stands while authority is true and now < deadline.
	authority bool
	deadline  Instant
	epoch     uint64 // of the authority or candidacy; 0 for neither
	highest   uint64 // the highest epoch ever seen, the own current one apart
	abandon   bool   // no base is accepted any more: the region is giving up
	stopping  bool   // Release: it stays standby for good

	highestBy int // whose it is: a number, or nobody

	holder      int // number of the last known holder, or nobody
	holderEpoch uint64

	quiet     Instant // until then it raises no flag, so that another region can
	passed    Instant // the last time at which most witnesses were such that this candidate may take by them
	consent   consent
	term      termState
	onDisk    Authority // found at the start
	seq       uint64    // of the last attempt of this incarnation to write its flag, at any witness
	witnesses []witness
	peers     []peer // by number in p.Members; the own entry is that of other instances
	layers    layerState
	saved     savedState
	asker     asker
	handOver  handOver
	loan      loan
	health    health
	alarms    []Notice // notices that still hold

	actions []Action // of the Step under way
	gates   [25]Gate // room for takeGates
}

// A peer is what is known of another region. That of the own one is of its other instances.
type peer struct {
	evidence  Instant // the last time at which it showed a sign of life (§3)
	recorded  Instant // the last time at which a never-seen record of it came; Never if none did
	seen      seenWrites
	state     FlagState  // of the newest record that came, empty if none did
	epoch     uint64     // the highest in its records
	known     witnessSet // at which its info record has been seen
	differs   []string   // safety parameters in which it differs from this region, as that says at some witness
	differsAt witnessSet // ... which are these
	toldBy    int        // the witness that what follows is from
	toldAt    Instant    // when it came
	degraded  []string   // why it is degraded, as its info record says
	behind    []string   // what of its data is too far behind, as that says
	mode      Mode       // as that says
	paused    bool       // an operator has it decide nothing by itself, as that says
	badFlag   witnessSet // its flag was malformed there when it was last read
	badInfo   witnessSet // its info record was

	// By the quorum (§4).
	asked   ActionID // the question of the round in flight, until it is answered; 0 if none
	granted bool     // ... was answered with a grant
	reached bool     // the last question was answered
	said    Answer   // the last answer
	saidAt  Instant  // when it came; Never if none did
	fenced  bool     // by an operator's word: its pledge is not waited for

	// Of its instances (§5).
	term        uint64  // the highest that has asked
	pledgedTerm uint64  // that the last pledge was granted to ...
	pledgedAt   Instant // ... at this time; the own start counts as one
	otherAt     Instant // when the last one to any other term was; -Never if none was
	grant       *Reply  // that waits until the record bears its epoch; nil if none
	grantEpoch  uint64
}

// nobody is the number of no member.
const nobody = -1

// layerState is what is known of the own layers.
type layerState struct {
	order       ActionID // the Fence or Activate in force
	fenced      bool     // all are known to be inactive
	active      bool     // all are known to be active
	fenceBy     Instant  // deadline of the Fence in force, Never without one
	activateFor ActionID // the SaveAuthority that an Activate waits for; 0 if none
	activateBy  Instant  // the Activate waits no longer than this
}

// savedState is what may be on disk.
type savedState struct {
	order    ActionID // the last SaveAuthority
	removal  bool     // it removes
	deadline Instant  // authority up to here may be on disk; 0 if surely none
	epoch    uint64   // the highest that is on disk, or on its way there
	newest   ActionID // the last that bears an epoch, of authority or of a pledge
	failed   bool     // ... and is not known to be there
}

// infoState is the writing of the own info record to one witness.
type infoState struct {
	order ActionID // in flight; 0 if none
	by    Instant
	next  Instant

	paused    bool // as it was last written
	changed   bool // since it was last written
	notBefore Instant
}

// New returns the state of a region before its Start. It panics if p has
// Violations: those are for the configuration to report.
func New(p Params) *State {
	if v := p.Violations(); len(v) > 0 {
		panic(fmt.Sprintf("lease: New with bad parameters: %s", v[0].Text))
	}
	p.Mode, p.ApprovalTimeout = cmp.Or(p.Mode, ModeAutomatic), cmp.Or(p.ApprovalTimeout, defaultApprovalTimeout)
	s := &State{p: p, safety: p.Safety(), safetyHash: SafetyHash(p.Safety()), self: slices.Index(p.Members, p.Region), holder: nobody, highestBy: nobody}
	for i, w := range p.witnesses() {
		s.witnesses = append(s.witnesses, witness{number: i, name: w.Name, staleness: w.Staleness})
	}
	s.resetPeers()
	s.layers.fenceBy = Never
	s.asker.init()
	s.handOver.to, s.loan = nobody, loan{from: nobody, to: nobody}
	return s
}

// resetPeers forgets what is known of the other regions.
func (s *State) resetPeers() {
	s.peers = make([]peer, len(s.p.Members))
	for i := range s.peers {
		s.peers[i].recorded, s.peers[i].saidAt = Never, Never
		s.peers[i].mode = ModeAutomatic // until it says otherwise
		if i == s.self || slices.Contains(s.p.KnownAbsent, s.p.Members[i]) {
			s.peers[i].known = ^witnessSet(0)
		}
	}
}

// NewMutant returns a State that leaves rules out. Only the simulator may use
// it, to show that they are needed.
func NewMutant(p Params, without ...Rule) *State {
	s := New(p)
	for _, r := range without {
		s.without |= 1 << r
	}
	return s
}

// Strict makes an illegal transition panic, for tests; without it the region
// fences and says so.
func (s *State) Strict() *State {
	s.strict = true
	return s
}

// member is the number of a region, or nobody.
func (s *State) member(r Region) int { return slices.Index(s.p.Members, r) }

// sawEpoch notes an epoch of region j, or of nobody in particular. Of one that
// two regions have, nobody is the owner.
func (s *State) sawEpoch(j int, epoch uint64) {
	switch {
	case epoch > s.highest:
		s.highest, s.highestBy = epoch, j
	case epoch == s.highest && s.highestBy != j:
		s.highestBy = nobody
	}
}

// longer is Params.Longer, but for the mutant without it.
func (s *State) longer(d time.Duration) time.Duration {
	if !s.obeys(RuleDrift) {
		return d
	}
	return s.p.Longer(d)
}

func (s *State) act(a Action) { s.actions = append(s.actions, a) }

func (s *State) newID() ActionID {
	s.nextID++
	return s.nextID
}

// become changes the state.
func (s *State) become(to StateName, why ReasonCode) {
	if !slices.Contains(transitions[s.name], to) {
		s.illegal(fmt.Sprintf("%s to %s (%s)", s.name, to, why))
		return
	}
	s.act(Transition{From: s.name, To: to, Epoch: s.epoch, Reason: why})
	s.name, s.reason, s.since = to, why, s.now
}

// illegal handles what must never happen: a bug. The region fences, from
// wherever it is.
func (s *State) illegal(what string) {
	if s.strict {
		panic("lease: illegal: " + what)
	}
	s.act(Notice{Reason: ReasonIllegal, Detail: what})
	if s.name == "" {
		return
	}
	if s.name == Candidate {
		s.giveUp()
	}
	s.abandon = true
	if s.name != Fencing {
		s.act(Transition{From: s.name, To: Fencing, Epoch: s.epoch, Reason: ReasonIllegal})
		s.name, s.reason, s.since = Fencing, ReasonIllegal, s.now
		s.orderFence(ReasonIllegal)
	}
}

// alarm reports something once, until it is cleared.
func (s *State) alarm(why ReasonCode, about Region, detail string) {
	s.report(Notice{Reason: why, Region: about, Detail: detail})
}

// alarmAt is alarm about one of the witnesses.
func (s *State) alarmAt(w *witness, why ReasonCode, about Region, detail string) {
	s.report(Notice{Reason: why, Region: about, Witness: w.name, Detail: detail})
}

func (s *State) report(n Notice) {
	if s.alarmed(n.Reason, n.Region, n.Witness) {
		return
	}
	s.alarms = append(s.alarms, n)
	s.act(n)
}

// alarmed reports whether an alarm holds.
func (s *State) alarmed(why ReasonCode, about Region, witness string) bool {
	return slices.ContainsFunc(s.alarms, func(n Notice) bool { return n.Reason == why && n.Region == about && n.Witness == witness })
}

// clear ends an alarm.
func (s *State) clear(why ReasonCode, about Region) { s.end(why, about, "") }

// clearAt is clear about one of the witnesses.
func (s *State) clearAt(w *witness, why ReasonCode, about Region) { s.end(why, about, w.name) }

func (s *State) end(why ReasonCode, about Region, witness string) {
	if len(s.alarms) == 0 {
		return
	}
	s.alarms = slices.DeleteFunc(s.alarms, func(n Notice) bool { return n.Reason == why && n.Region == about && n.Witness == witness })
}

// Alarms returns the notices that still hold.
func (s *State) Alarms() []Notice { return slices.Clone(s.alarms) }

// seenWrites remembers the last write ids that were seen of a region. One that
// is forgotten counts as never seen when it comes again, which is safe: more
// evidence only makes a region wait longer.
type seenWrites struct {
	ids  [64]WriteID
	next uint8 // the slot to overwrite
	full bool
}

// add reports whether id was never seen before, and remembers it.
func (w *seenWrites) add(id WriteID) bool {
	newest := (w.next + uint8(len(w.ids)) - 1) % uint8(len(w.ids))
	if w.ids[newest] == id && (w.full || w.next > 0) {
		return false
	}
	n := len(w.ids)
	if !w.full {
		n = int(w.next)
	}
	if slices.Contains(w.ids[:n], id) {
		return false
	}
	w.ids[w.next] = id
	w.next = (w.next + 1) % uint8(len(w.ids))
	w.full = w.full || w.next == 0
	return true
}
