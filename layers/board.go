package layers

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Board is what a layer tells the same layer of the other regions. It promises
// nothing: a note may be late, or never come, so no safety may rest on one.
type Board interface {
	// Publish makes a note this region's newest of a layer. It does not block.
	Publish(layer, note string)

	// Notes are the newest notes of a layer of the other regions, as far as they are
	// known. It does not block.
	Notes(layer string) []Note
}

// A Note is what the layer of another region has published.
type Note struct {
	Region lease.Region
	Text   string

	// Silence is for how long nothing new has come from that region, by this region's
	// clock: not that Text changed, but that it was sent anew.
	Silence time.Duration
}
