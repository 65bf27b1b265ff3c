package lease

import "time"

// A Verb is what a question asks for (§4).
type Verb string

const (
	VerbStatus Verb = "status" // what is the region, and would it pledge?
	VerbPledge Verb = "pledge" // will it not take for TTL + Δ?
)

// A Question is what a region says of itself when it asks another one through
// the quorum (§4).
type Question struct {
	Verb      Verb
	Epoch     uint64 // of its authority or candidacy, or the one that it proposes; 0: no agent asks, and nothing changes by it
	Authority bool   // it holds authority
	HandOver  bool   // it held the lease, is fenced, and hands over to the one that it asks ...
	Ordered   bool   // ... since an operator has said so
	Loan      bool   // ... until it asks for it back; or without HandOver, it does
	Safety    string // SafetyHash of its parameters
	Term      uint64 // of the instance that asks (§5)
}

// An Answer is what a region says to a question (§4). It is comparable: what
// several resolvers bring is the same, or it differs.
type Answer struct {
	State     StateName     `json:"s"`
	Authority bool          `json:"a,omitempty"` // it holds authority ...
	Remaining time.Duration `json:"r,omitempty"` // ... for so long, unless it is extended
	Epoch     uint64        `json:"e,omitempty"` // of its authority; where it refuses with RefusedEpoch, the one to be above
	Whose     Region        `json:"o,omitempty"` // that one is; empty if two regions have it
	// Granted answers VerbPledge: the region will not take for TTL + Δ from now
	// on. To VerbStatus it says that the region would grant a pledge.
	Granted bool       `json:"p,omitempty"`
	Why     ReasonCode `json:"w,omitempty"` // it is not granted
	Safety  string     `json:"h"`           // SafetyHash of its parameters

	Degraded bool   `json:"d,omitempty"` // another region should be active rather than it
	Term     uint64 `json:"t,omitempty"` // of the instance that answers (§5)
	Behind   bool   `json:"b,omitempty"` // its data is too far behind
	Waits    bool   `json:"m,omitempty"` // it takes by an operator's word alone (modes)
	Paused   bool   `json:"z,omitempty"` // an operator has it decide nothing by itself
}

// fit reports whether authority may be handed over to the region.
func (a Answer) fit() bool { return !a.Degraded && !a.Behind && !a.Paused }
