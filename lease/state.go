package lease

// A StateName is where a region stands.
type StateName string

const (
	Standby   StateName = "standby"   // layers fenced, no authority, watching
	Candidate StateName = "candidate" // its flag is raised; no authority yet
	Active    StateName = "active"    // holds authority; its layers are active or becoming so
	Fencing   StateName = "fencing"   // its layers are becoming inactive, or are not known to be
)
