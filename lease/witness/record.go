package witness

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Kind is what a register is for.
type Kind string

const (
	KindFlag Kind = "flag"
	KindInfo Kind = "info"
	KindNote Kind = "note"
)

// A Register is one place for one region's records.
type Register struct {
	Group  string
	Kind   Kind
	Region lease.Region // its only writer
}

// Notes are what the layers of a region tell those of the others, by layer. They are
// apart from the info record, since they change often and no rule of the protocol looks
// at them.
type Notes struct {
	Sent   time.Time         `json:"sent"` // by the region's own clock: for people, and to tell one record from the next
	Layers map[string]string `json:"layers"`
}

// A Record is the content of a register: Flag, Info or Notes, by its kind.
type Record struct {
	Register
	Flag lease.Flag
	Info lease.Info
	Note Notes

	Stamp *Stamp // beside a flag; nil: there is none
}
