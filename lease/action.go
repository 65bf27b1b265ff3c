package lease

// An ActionID ties the event that completes an action to it. IDs grow by one
// from action to action of a State.
type ActionID uint64

// An Action is something for the caller to do. Actions of one Step are begun
// in the order in which they are returned, and Step is never held up for one:
// outcomes come back as events.
type Action interface{ action() }

// WriteFlag writes the region's own flag to a witness, by its number in Params.Witnesses, once: no retry
// below. An answer after Deadline is of no use.
type WriteFlag struct {
	ID       ActionID
	Witness  int `json:",omitempty"`
	Deadline Instant
	Flag     Flag
}

// ReadRound reads the flags of all members from a witness, the region's own too, and with
// Infos their info records, all at once. What is not read by Deadline is
// ReadUnknown.
type ReadRound struct {
	ID       ActionID
	Witness  int `json:",omitempty"`
	Deadline Instant
	Infos    bool
}

// WriteInfo writes the region's own info record to a witness.
type WriteInfo struct {
	ID       ActionID
	Witness  int `json:",omitempty"`
	Deadline Instant
	Info     Info
}

// Authority is the right to be active: of one region, for one epoch, until
// Deadline on the clock of the boot BootID (§2). The zero value is none.
type Authority struct {
	Epoch    uint64  `json:"epoch"`
	Deadline Instant `json:"deadline"`
	BootID   string  `json:"boot_id"`
	Term     uint64  `json:"term,omitempty"` // of the instance; 0 in a region of one (§5)
	Safety   string  `json:"safety"`         // SafetyHash of the parameters that it was acquired and extended with
}

// SaveAuthority puts the authority on disk, in order and durably; one that has
// ended too, before AuthoritySaved is reported (§5).
type SaveAuthority struct {
	ID        ActionID
	Deadline  Instant
	Authority Authority
}

// Fence makes every layer inactive, and goes on trying until all are or until
// a later Fence or Activate takes its place. Layers are to be inactive by
// Deadline (§2).
type Fence struct {
	ID       ActionID
	Deadline Instant
	Epoch    uint64 // of the own authority that ends; 0 if there was none
	Reason   ReasonCode
	Term     uint64
	Planned  bool // authority is given up by choice: there is time to fence in order (§4, hand-over)
}

// Activate makes every layer active, and keeps trying until all are or until a
// later Fence takes its place. It must not go on after Deadline, which is
// moved on by every Extend.
type Activate struct {
	ID       ActionID
	Deadline Instant
	Epoch    uint64
	Term     uint64
	Reason   ReasonCode
}

// ReadTerm reads the shared record of the region's instances (§5).
type ReadTerm struct {
	ID       ActionID
	Deadline Instant
}

// WriteTerm replaces the shared record if it is still the one of After's term and beat; the zero
// value is none. It is sent once: no retry below.
type WriteTerm struct {
	ID       ActionID
	Deadline Instant
	After    TermRecord
	Record   TermRecord
}

// StandDown ends what the layers are being told, and leaves them as they are: another instance
// sees to them from now on.
type StandDown struct{}

// Extend moves the deadline of the authority that the layers act under.
type Extend struct{ Deadline Instant }

// Ask asks one other region through the quorum (§4). An answer after Deadline
// is of no use.
type Ask struct {
	ID       ActionID
	Deadline Instant
	To       Region
	Question Question
}

// Reply answers the Asked with the same ID, in the same Step. Behind a SaveAuthority of
// that Step it is sent when that has been reported, so that a pledge is known to a
// restart before anyone acts by it.
type Reply struct {
	ID     uint64
	Answer Answer
}

// Transition reports that the state changed.
type Transition struct {
	From, To StateName
	Epoch    uint64
	Reason   ReasonCode
}

// Notice reports, once each time that it begins, something that an operator
// should know. Region is the member that it is about, and Witness the one of several witnesses, or empty.
type Notice struct {
	Reason  ReasonCode
	Region  Region
	Witness string `json:",omitempty"`
	Detail  string
}

// About names what it is about, for people; it is empty if that is nothing in particular.
func (n Notice) About() string {
	switch {
	case n.Witness == "":
		return string(n.Region)
	case n.Region == "":
		return "witness " + n.Witness
	}
	return string(n.Region) + " at witness " + n.Witness
}

func (WriteFlag) action()     {}
func (ReadRound) action()     {}
func (WriteInfo) action()     {}
func (SaveAuthority) action() {}
func (Fence) action()         {}
func (Activate) action()      {}
func (ReadTerm) action()      {}
func (WriteTerm) action()     {}
func (StandDown) action()     {}
func (Extend) action()        {}
func (Ask) action()           {}
func (Reply) action()         {}
func (Transition) action()    {}
func (Notice) action()        {}
