package layers

import (
	"fmt"

	"github.com/openova-io/failoverd/lease"
)

// A Position is how far the data of an object of a layer had come, and what was at stake: what the region that
// was primary before wrote and this one does not have is not there.
type Position struct {
	Object string  `json:"object"`                // namespace/name
	At     string  `json:"at"`                    // in the layer's own terms
	Age    float64 `json:"age_seconds,omitempty"` // since that was read

	// Of activating, where another region was primary before; empty or 0 otherwise.
	Before  lease.Region `json:"before,omitempty"`
	Last    string       `json:"last,omitempty"`            // how far it had come, as was last heard
	Silence float64      `json:"silence_seconds,omitempty"` // since then
	Lacks   uint64       `json:"lacks_bytes,omitempty"`     // what of that is not here, in bytes

	// Whole is that nothing is lost: the region that was primary before had stopped, and all that it had
	// written is here.
	Whole bool `json:"whole,omitempty"`
}

// String says it in a sentence for people.
func (p Position) String() string {
	age := ""
	if p.Age >= 0.5 {
		age = fmt.Sprintf(" %.0f s before", p.Age)
	}
	text := fmt.Sprintf("%s was at %s%s", p.Object, p.At, age)
	switch {
	case p.Whole:
		return text + fmt.Sprintf("; all that %s had written is there", p.Before)
	case p.Before == "":
		return text
	case p.Lacks > 0:
		return text + fmt.Sprintf("; %s was at %s %.0f s before: %d bytes are lost, and what it wrote later", p.Before, p.Last, p.Silence, p.Lacks)
	}
	return text + fmt.Sprintf("; %s was at %s %.0f s before: what it wrote later is lost", p.Before, p.Last, p.Silence)
}
