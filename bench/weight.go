package bench

// A Footprint is what systems take that have nothing to do.
type Footprint struct {
	Machine Machine  `json:"machine"`
	Idle    float64  `json:"idle"` // for how long each was looked at, in seconds
	Systems []Weight `json:"systems"`

	// Starts are seconds from the start of the process to the first decision of an agent of failoverd on a directory, for the first
	// time in its life.
	Starts []float64 `json:"starts"`
}

// A Weight is that of a system of several nodes.
type Weight struct {
	System string       `json:"system"`
	Nodes  []NodeWeight `json:"nodes"`

	// Requests are what all nodes asked the store for in an hour, by its own count; nil where it has none of its own.
	Requests *float64 `json:"requests,omitempty"`
}

// A NodeWeight is that of what runs on a node, the store and what is guarded apart.
type NodeWeight struct {
	Node    string  `json:"node"`
	Healthy bool    `json:"healthy"` // it is the holder
	RSS     int64   `json:"rss"`     // bytes, the most of all looks
	CPU     float64 `json:"cpu"`     // of one core
}

// Scale is what groups of more and more regions take, all with the default times on three members of etcd.
type Scale struct {
	Machine   Machine    `json:"machine"`
	Idle      float64    `json:"idle"`      // for how long each was looked at with nothing to do, in seconds
	Ran       []ScaleRow `json:"ran"`       // daemons, each region's on this machine
	Simulated []ScaleRow `json:"simulated"` // the protocol alone, in simulated time
}

// A ScaleRow is of groups of one size.
type ScaleRow struct {
	Regions  int       `json:"regions"`
	Requests float64   `json:"requests"`      // of the whole group to the store in an hour, with nothing to do
	CPU      float64   `json:"cpu,omitempty"` // of one core, of one agent, the mean
	RSS      int64     `json:"rss,omitempty"` // bytes, of the largest agent
	Gaps     []float64 `json:"gaps"`          // seconds from the death of a holder to the next: of one that is simulated from its last renewal
	Bound    float64   `json:"bound"`         // of those, from the last renewal
}

// Applying is how fast failoverd changes objects of Kubernetes, beside a client that does nothing else.
type Applying struct {
	Machine Machine         `json:"machine"`
	Rounds  []ApplyingRound `json:"rounds"`
}

// An ApplyingRound is one in which as many routes are written by each. Times are in seconds.
type ApplyingRound struct {
	Objects   int     `json:"objects"`
	Bare      float64 `json:"bare"`
	Fenced    float64 `json:"fenced"`
	Activated float64 `json:"activated"`
}

// A Build is a way to build the program, static and stripped.
type Build struct {
	Tags  string `json:"tags"`
	Bytes int64  `json:"bytes"`
}

// A Part is what of the program's code comes of something.
type Part struct {
	Of    string  `json:"of"` // a module that failoverd requires, or some that would go together
	Share float64 `json:"share"`
}

// A Size is how large the program is, and why.
type Size struct {
	Machine Machine `json:"machine"`
	Builds  []Build `json:"builds"` // the first is the release

	// Dependencies are the modules that failoverd itself requires, each with what would go if it, and all that only it needs,
	// were not there: shares of the code, which everything else in the file goes by.
	Dependencies []Part `json:"dependencies"`
}
