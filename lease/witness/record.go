package witness

import (
	"encoding/json"

	"github.com/openova-io/failoverd/lease"
)

// A Kind is what a register is for.
type Kind string

const (
	KindFlag Kind = "flag"
	KindInfo Kind = "info"
)

// A Register is one place for one region's records.
type Register struct {
	Group  string
	Kind   Kind
	Region lease.Region // its only writer
}

// A Record is the content of a register: Flag or Info, by its kind.
type Record struct {
	Register
	Flag lease.Flag
	Info lease.Info

	// Body is the JSON that the region signed, exactly as it was read, with
	// the fields that a newer version wrote and this one does not know. It is
	// for showing; nothing is ever signed from it, since a region must not
	// vouch for what it does not understand.
	Body json.RawMessage
}
