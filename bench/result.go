package bench

// A Scenario is what is done in a round.
type Scenario string

const (
	Killed         Scenario = "killed"          // the holder dies
	Frozen         Scenario = "frozen"          // the holder's agent is stopped until another node acts, and for a renewal more
	Partitioned    Scenario = "partitioned"     // the holder is cut off, until another node acts, and for a renewal more
	SlowAnswers    Scenario = "slow answers"    // ... after a time in which its answers came late
	FastHolder     Scenario = "fast holder"     // ... and its clock runs 1 % fast
	FastCandidates Scenario = "fast candidates" // ... and the clocks of all others do
	Switchover     Scenario = "switchover"      // an operator has another node take over
	Outage         Scenario = "store outage"    // the store is gone for 10 TTLs, and all nodes live
)

// A Round is one time that something was done, and what came of it. Times are in seconds.
type Round struct {
	System   string   `json:"system"`
	Scenario Scenario `json:"scenario"`
	From     string   `json:"from"` // the holder
	To       string   `json:"to"`   // who acted next; the same, or "" if nobody else did

	Gap     float64 `json:"gap"`     // nobody acted, from the fault until To did; in all, if that is From
	Bound   float64 `json:"bound"`   // see Contender; 0 where there is none
	Acting  float64 `json:"acting"`  // two acted at once
	Healthy float64 `json:"healthy"` // two were healthy at once, for a load balancer

	// Down is for how long in all nobody acted, in an outage of the store.
	Down float64 `json:"down"`

	Wrong string `json:"wrong,omitempty"` // why there is no figure
}

// An Entry is a contender as the report tells of it.
type Entry struct {
	Name     string  `json:"name"`
	Version  string  `json:"version"`
	Settings string  `json:"settings"`
	Promise  string  `json:"promise"`
	TTL      float64 `json:"ttl"`
	Renew    float64 `json:"renew"`
	Bound    float64 `json:"bound"`
	Formula  string  `json:"formula"`

	Without map[Scenario]string `json:"without,omitempty"`
}

// Rounds are all that one run has measured of faults.
type Rounds struct {
	Machine Machine `json:"machine"`
	Seed    uint64  `json:"seed"`
	Entries []Entry `json:"entries"`
	Rounds  []Round `json:"rounds"`
}

// A Machine is where, and of what, something was measured.
type Machine struct {
	Date   string  `json:"date"`
	Commit string  `json:"commit"`
	CPU    string  `json:"cpu"`
	Cores  int     `json:"cores"`
	Kernel string  `json:"kernel"`
	Go     string  `json:"go"`
	Load   float64 `json:"load"` // of the minute before it ended
}
